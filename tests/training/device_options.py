"""Options of a training on one and on two devices; see test_device_options.

python device_options.py FOLDER CASE-DEVICES ... prints results by case as JSON.
"""
# ruff: noqa: E402

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from odapi.runtime import backend

backend.load()

import keras

import odapi
from odapi.checkpoints import folder as folders
from odapi.config.load import load_config, options
from odapi.errors import ConfigError
from odapi.runtime.half_precision import HalfPrecision
from odapi.training import auto_precision, parts
from tiny_detector import TinyDetector
from tiny_samples import CLASSES, make_samples, train_config

CONFIG = train_config(
    "ssd",
    "model.ssd.image_resizer.fixed_shape_resizer={height: 16 width: 16}",
    "train_config.num_steps=3",
    "train_config.batch_size=4",
)
FOLDER = pathlib.Path(sys.argv[1])
replicas: list[int] = []


def build(config, seed=None):
    """Builds a detector without batch norm, which sees one device on TensorFlow."""
    replicas.append(devices_here())
    detector = TinyDetector(seed=seed)
    detector.norm.trainable = False
    return detector


def devices_here() -> int:
    """Returns the number of devices that variables made now are on."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return int(tf.distribute.get_strategy().num_replicas_in_sync)
    distribution = keras.distribution.distribution()
    return distribution.device_mesh.devices.size if distribution else 1


class FakeTrial(auto_precision.Trial):
    """Trains, and says that float32 takes twice as long."""

    def run(self, batch, steps, check):
        found = super().run(batch, steps, check)
        return [2.0 if self.name == "FLOAT32" else 1.0] * len(found)


parts.build_detector = auto_precision.build_detector = build
auto_precision.Trial = FakeTrial
auto_precision._ROUNDS = 1
auto_precision.half_precision = lambda: HalfPrecision("BFLOAT16", "amx_bf16")


def train(name, devices, *overrides, **arguments):
    replicas.clear()
    run = FOLDER / f"{name}-{devices}"
    try:
        found = odapi.train(
            CONFIG,
            run,
            overrides,
            train_data=make_samples(8),
            classes=CLASSES,
            devices=devices,
            **arguments,
        )
    except ConfigError as error:
        return {"error": str(error), "wrote": run.exists(), "built": len(replicas)}
    shown = {"losses": found.losses, "replicas": list(replicas), "wrote": run.exists()}
    if arguments.get("dry_run"):
        return shown | {"plan": [found.num_steps, found.batch_size, found.parts]}
    saved = options(load_config(folders.find(run)))
    return shown | {"precision": saved.Precision.Name(saved.precision)}


PARTS = ("options.gradient_accumulation=2",)
cases = {
    "dry": lambda n: train("dry", n, dry_run=True),
    "parts": lambda n: train("parts", n, *PARTS, dry_run=True),
    "auto": lambda n: train("auto", n, "options.precision=AUTO"),
    "batch": lambda n: train("batch", n, batch_size="auto"),
}
results = {case: cases[case[:-2]](int(case[-1])) for case in sys.argv[2:]}
print(json.dumps(results))
