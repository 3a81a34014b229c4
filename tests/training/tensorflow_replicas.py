"""Trains on one and on two CPU devices of TensorFlow; see test_tensorflow_devices.

python tensorflow_replicas.py [CASE ...] prints one JSON object: results by case.
"""
# ruff: noqa: E402

import dataclasses
import itertools
import json
import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from odapi.runtime import backend

backend.load()

import keras
import numpy as np

from odapi.backbones import table
from odapi.build.detector import build_detector
from odapi.build.optimizer import build_optimizer
from odapi.config.load import load_config
from odapi.layers.norm import BatchNorm
from odapi.optim.ema import averages_of
from odapi.optim.optimizers import make, scale_losses
from odapi.runtime.compat import flatten_layers
from odapi.runtime.determinism import seed_everything
from odapi.runtime.distribution.choose import choose_strategy
from odapi.runtime.distribution.strategy import Strategy
from odapi.training.dynamic_shapes import compile_by_size, of_any_size
from odapi.training.step_losses import StepLosses
from small_models import SIZE, small_config
from tiny_detector import TinyDetector, make_batch

TWO, BATCH, STEPS = choose_strategy(2), 4, 3
_TRAIN = """
train_config {
  batch_size: 4
  bias_grad_multiplier: 2.0
  gradient_clipping_by_norm: 1.0
  optimizer {
    momentum_optimizer {
      learning_rate { constant_learning_rate { learning_rate: 0.02 } }
      momentum_optimizer_value: 0.9
    }
    use_moving_average: true
  }
}
"""
# Strides of the maps of the backbones that are replaced.
_BACKBONES = (
    (table.SSD_EXTRACTORS, "ssd_mobilenet_v2_keras", (16, 32)),
    (table.RCNN_EXTRACTORS, "faster_rcnn_resnet50_fpn_keras", (4, 8, 16, 32)),
)


def tiny_backbone(strides):
    """Returns a function that builds a backbone of one convolution per map."""

    def build(name="backbone", channels=3, **_):
        x = images = keras.Input((None, None, channels))
        maps, before = [], 1
        for i, stride in enumerate(strides):
            start = keras.initializers.GlorotUniform(7 + i)
            conv = keras.layers.Conv2D(
                8,
                3,
                stride // before,
                padding="same",
                use_bias=False,
                kernel_initializer=start,
            )
            x = BatchNorm(momentum=0.5, scale=True, name=f"norm_{i}")(conv(x))
            x = keras.layers.Activation("relu")(x)
            maps.append(x)
            before = stride
        return keras.Model(images, maps, name=name)

    return build


def replace_backbones() -> None:
    """Gives extractors backbones that compile quickly."""
    for rows, name, strides in _BACKBONES:
        fields = {f.name for f in dataclasses.fields(rows[name])}
        made = dict.fromkeys(
            fields & {"backbone", "depthwise_backbone"}, tiny_backbone(strides)
        )
        rows[name] = dataclasses.replace(rows[name], **made)


def batch(number: int):
    """Returns a batch whose images have 3, 1, 0, 0, 2 or 1 objects."""
    rng = np.random.default_rng(number)
    images = rng.integers(0, 60, (BATCH, SIZE, SIZE, 3))
    boxes, valid = np.zeros((BATCH, 3, 4), "float32"), np.zeros((BATCH, 3), bool)
    for i in range(BATCH):
        for k in range([3, 1, 0, 0, 2, 1][(i + number) % 6]):
            (y, x), side = rng.integers(0, 32, 2), rng.integers(16, 32)
            images[i, y : y + side, x : x + side] += 100
            boxes[i, k] = np.array([y, x, y + side, x + side]) / SIZE
            valid[i, k] = True
    classes = rng.integers(0, 2, (BATCH, 3)).astype("int32")
    x = {"images": images.astype("uint8")}
    return x, {"boxes": boxes, "classes": classes, "valid": valid}


class Recorder(keras.callbacks.Callback):
    """Keeps the losses of every step."""

    def __init__(self):
        super().__init__()
        self.losses, self._steps = [], StepLosses()

    def on_train_batch_end(self, batch, logs=None):
        losses = self._steps.of_step(logs)
        self.losses.append([losses[name] for name in sorted(losses)])


def fit(detector, optimizer, batches, strategy, steps=STEPS):
    """Trains as the training loop does; returns the losses `[steps, parts]`."""
    recorder = Recorder()
    with strategy.scope():
        optimizer.build(detector.trainable_variables)
        detector.compile(optimizer=optimizer)
        if detector.image_size is None:
            batches = of_any_size(batches)
            compile_by_size(detector)
        detector.fit(
            batches,
            steps_per_epoch=steps,
            callbacks=[recorder],
            shuffle=False,
            verbose=0,
        )
    return np.array(recorder.losses)


def trained(config, strategy, synchronized=True, steps=STEPS):
    """Returns losses, detector and optimizer of a short training."""
    seed_everything(3, deterministic=False)
    with strategy.scope():
        detector = build_detector(config, seed=3)
        optimizer = build_optimizer(config).optimizer
    for layer in flatten_layers(detector):
        if isinstance(layer, BatchNorm):
            layer.synchronized = synchronized
    batches = (batch(number) for number in itertools.count())
    return fit(detector, optimizer, batches, strategy, steps), detector, optimizer


def gap(left, right) -> float:
    """Returns the largest difference, relative to the largest value."""
    return float(np.abs(left - right).max() / max(np.abs(left).max(), 1e-9))


def max_gap(left, right) -> float:
    """Returns the largest gap of two lists of variables."""
    return max(gap(value(a), value(b)) for a, b in zip(left, right, strict=True))


def value(variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))


def differing(variables) -> list[str]:
    """Returns the names of variables whose copies on the devices differ."""
    found = []
    for variable in variables:
        first, *others = (copy.numpy() for copy in variable.value.values)
        if not others or any(not np.array_equal(first, other) for other in others):
            found.append(variable.path)
    return found


def compare(config, **options):
    """Compares two devices with one."""
    losses, one, first = trained(config, Strategy(), **options)
    shared, two, second = trained(config, TWO, **options)
    weights = [list(d.named_variables().values()) for d in (one, two)]
    averages = [[average for _, average in averages_of(o)] for o in (first, second)]
    return {
        "loss_gap": gap(losses, shared),
        "weight_gap": max_gap(*weights),
        "average_gap": max_gap(*averages),
        "differing": differing([*weights[1], *second.variables]),
        "loss": losses[:, -1].tolist(),
    }


def of_family(family: str):
    config = small_config(family)
    config.MergeFrom(load_config(_TRAIN))
    return load_config(config)


def unsynchronized():
    """Batch norm by device: the first mean is that of the batch, the losses are not."""
    config = of_family("ssd")
    losses, one, _ = trained(config, Strategy(), synchronized=False, steps=1)
    shared, two, _ = trained(config, TWO, synchronized=False, steps=1)
    name = "feature_extractor/backbone/norm_0/moving_mean"
    means = [value(d.named_variables()[name]) for d in (one, two)]
    return {
        "loss_gap": gap(losses, shared),
        "mean_gap": gap(*means),
        "differing": differing(two.named_variables().values()),
    }


class Overflowing(TinyDetector):
    """Has infinite gradients on images that are white: not on the first device."""

    def loss_parts(self, outputs, groundtruth, inputs=None, training=False):
        parts = super().loss_parts(outputs, groundtruth, inputs, training)
        white = keras.ops.all(inputs["images"] == 255, axis=(1, 2, 3))
        factor = keras.ops.where(keras.ops.any(white), float("inf"), 1.0)
        return {name: part * factor for name, part in parts.items()}


def overflow():
    """A step in which the gradients of the second device alone are infinite."""
    with TWO.scope():
        detector = Overflowing()
        optimizer = scale_losses(make(keras.optimizers.SGD, learning_rate=0.1))
    before = [value(v) for v in detector.trainable_variables]
    made = [tiny_pair(n) for n in range(6)]
    made[0][0]["images"][2:] = 255
    fit(detector, optimizer, (pair for pair in made), TWO, 1)
    after = [value(v) for v in detector.trainable_variables]
    fit(detector, optimizer, (pair for pair in made[1:]), TWO, 1)
    last = [value(v) for v in detector.trainable_variables]
    return {
        "kept": all(map(np.array_equal, before, after)),
        "trains_on": not all(map(np.array_equal, after, last)),
        "finite": all(np.isfinite(v).all() for v in last),
    }


def tiny_pair(number: int, size=(16, 16)):
    made = make_batch(number)
    pad = ((0, 0), (0, size[0] - 16), (0, size[1] - 16), (0, 0))
    truth = made.groundtruth
    images = np.pad(np.asarray(made.images), pad).astype("uint8")
    return {"images": images}, {
        name: np.asarray(getattr(truth, name))
        for name in ("boxes", "classes", "valid", "weights")
    }


def of_many_sizes():
    """Trains on batches of three sizes; dropout and batch norm are switched off."""
    sizes = [(16, 16), (16, 24), (24, 16), (16, 24)]
    losses = []
    for strategy in (Strategy(), TWO):
        with strategy.scope():
            detector = TinyDetector()
            optimizer = make(keras.optimizers.SGD, learning_rate=0.1)
        detector.norm.trainable = False
        detector.image_size = None
        pairs = (tiny_pair(n, sizes[n % 4]) for n in itertools.count())
        losses.append(fit(detector, optimizer, pairs, strategy, 4))
    return {"loss_gap": gap(*losses), "loss": losses[0][:, -1].tolist()}


if __name__ == "__main__":
    replace_backbones()
    cases = {
        "sizes": of_many_sizes,
        "overflow": overflow,
        "unsynchronized": unsynchronized,
        "ssd": lambda: compare(of_family("ssd")),
        # One step: rounding may change the order of proposals, and so the sample.
        "rcnn": lambda: compare(of_family("rcnn"), steps=1),
    }
    chosen = sys.argv[1:] or cases
    print(json.dumps({name: cases[name]() for name in chosen}))
