"""Trains a tiny detector in a process of its own; see test_jax_devices.

python process_training.py SETTINGS: JSON with `out`, `model_dir` and other arguments of
`odapi.train`; a list of such trains one after the other. Writes the losses of every
step and the metrics into the file `out`.
"""
# ruff: noqa: E402

import json
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from odapi.runtime import backend

backend.load()

import keras
from keras import ops

import odapi
from odapi.structures import Detections
from odapi.training import parts
from tiny_detector import TinyDetector
from tiny_samples import CLASSES, make_samples, train_config


class Detector(TinyDetector):
    """Detects one object per image."""

    def decode(self, inputs, outputs, raw=False):
        near = ops.array([0.1, 0.12, 0.62, 0.62], "float32")
        chances = ops.softmax(outputs["classes"])
        return Detections(
            boxes=(near + 0.1 * ops.tanh(outputs["boxes"]))[:, None],
            scores=ops.max(chances, axis=1)[:, None],
            classes=ops.cast(ops.argmax(chances, axis=1), "int32")[:, None],
            num=ops.ones_like(ops.argmax(chances, axis=1), dtype="int32"),
        )


parts.build_detector = lambda config, seed=None: Detector(dropout=0.5, seed=seed)
config = train_config(
    "ssd",
    "model.ssd.image_resizer.fixed_shape_resizer={height: 16 width: 16}",
    "train_config.num_steps=6",
    "train_config.batch_size=4",
    "options.evaluation.every_n_steps=3",
    "eval_config.batch_size=2",
    "eval_config.num_visualizations=1",
)


class Losses(keras.callbacks.Callback):
    """Keeps the losses of every step; ends the process or the run at one."""

    def __init__(self, die_at=None, stop_at=None, fail_at=None):
        super().__init__()
        self.losses = []
        self.die_at, self.stop_at, self.fail_at = die_at, stop_at, fail_at

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])
        if len(self.losses) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if len(self.losses) == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        if len(self.losses) == self.fail_at:
            raise RuntimeError("a callback that fails")


def train(out, samples=8, cluster=None, **settings):
    """Trains, and writes what the tests compare."""
    hooks = {
        k: settings.pop(k) for k in ("die_at", "stop_at", "fail_at") if k in settings
    }
    losses, made = Losses(**hooks), make_samples(samples)
    if cluster:
        settings["cluster"] = odapi.Cluster(*cluster)
    outcome = odapi.train(
        config,
        train_data=made,
        eval_data=made[: samples - 1],
        classes=CLASSES,
        callbacks=[losses],
        **settings,
    )
    facts = {"losses": losses.losses, "metrics": outcome.metrics}
    facts |= {"reason": outcome.reason, "step": outcome.step}
    pathlib.Path(out).write_text(json.dumps(facts))


given = json.loads(sys.argv[1])
for settings in given if isinstance(given, list) else [given]:
    train(**settings)
