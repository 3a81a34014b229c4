"""One inference and one training step of a detector, on any backend."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any
from unittest import mock

import keras
import numpy as np
from keras import ops

from benchmarks import parity_rcnn
from odapi.kernels import batch_norm
from odapi.layers.pixels import IMAGENET, UNCHANGED
from odapi.losses.names import REGULARIZATION_LOSS
from odapi.models import detector as detector_module
from odapi.models.preprocess import normalize
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.structures import Groundtruth, present

Arrays = dict[str, np.ndarray]


class Probe(keras.Model):
    """Gives everything that the original's goldens have of an inference."""

    def __init__(self, detector: Any):
        super().__init__()
        self.detector = detector
        self.built = True

    def call(self, inputs):
        detector = self.detector
        if isinstance(detector, FasterRCNN):
            return parity_rcnn.everything(detector, inputs)
        features = detector.extract(inputs)
        outputs = detector.predict_maps(features)
        detections = detector.detect(inputs, outputs, raw=True)
        found = {f"detections/{k}": v for k, v in present(detections).items()}
        maps = {f"feature_maps/{n}": m for n, m in enumerate(features)}
        return {"preprocessed": detector.preprocess(inputs), **outputs, **maps, **found}


def infer(detector: Any, inputs: Arrays) -> Arrays:
    """Returns heads, feature maps and detections, compiled as in real use."""
    return Probe(detector).predict_on_batch(inputs)


def train(detector: Any, inputs: Arrays, groundtruth: Groundtruth) -> dict[str, Any]:
    """Returns what one step of training computes, without changing weights.

    Batch norms move their statistics, as they do in a step. Batch statistics are
    summed and pixels normalized in the order of the original; see `_original_sums`
    and `_original_pixels`.

    Returns:
        `outputs`: heads and feature maps; `losses`: by the original's names,
        with the regularisation; `gradients`: norms by our names, None where a
        variable has no gradient.
    """
    run = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
    names = {id(v): n for n, v in detector.named_variables().items()}
    with _original_sums(), _original_pixels(detector):
        outputs, found, gradients = run[keras.backend.backend()](
            detector, inputs, groundtruth
        )
    numpy = ops.convert_to_numpy
    return {
        "outputs": {k: numpy(v) for k, v in outputs.items()},
        "losses": {k: float(numpy(v)) for k, v in found.items()},
        "gradients": {
            names[id(v)]: None if g is None else float(np.linalg.norm(numpy(g)))
            for v, g in zip(detector.trainable_variables, gradients, strict=True)
        },
    }


@contextlib.contextmanager
def _original_sums() -> Iterator[None]:
    """Sums batch statistics in the order of TensorFlow's kernels on a CPU.

    These add rows to four float32 sums in turn. On a map of 160 x 160 that is off by
    1e-6, and some fifty batch norms, each dividing by the spread of its batch, make
    of it up to 8 % in single gradients: JAX, torch, and TensorFlow with float64 sums
    agree with each other and differ from the original by that. With its order of
    summation, all agree with it. The gradient of the statistics is left as it is.
    TensorFlow runs the original's own kernel where oneDNN is off; see `parity`.
    Synchronised norms have no such kernel: they subtract the square of the mean from
    the mean of the squares, which loses digits, so here they do, too.
    """
    if keras.backend.backend() == "tensorflow":
        yield
        return
    with mock.patch.object(batch_norm, "batch_moments", _moments):
        yield


@contextlib.contextmanager
def _original_pixels(detector: Any) -> Iterator[None]:
    """Normalises pixels by the original's three steps, which we do in two.

    The last bits of the pixels are then the same, too. In EfficientDet they decide
    which of nearly equal values is the largest in a pooling window, and so where a
    gradient goes: pixels that are off by 1e-6 move single gradients of D1 by 1.5 %.
    """
    if detector.parts.pixels != IMAGENET:
        yield
        return
    with mock.patch.object(detector_module, "normalize", _in_three_steps):
        yield


def _in_three_steps(images, scaling, true_size=None):
    x = ops.cast(images, "float32") / 255.0
    x = (x - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    return normalize(x, UNCHANGED, true_size)


def _moments(x, synchronized=False):
    axes = tuple(range(len(x.shape) - 1))
    exact = ops.moments(x, axes)
    if synchronized:
        mean, squares = ops.mean(x, axes), ops.mean(ops.square(x), axes)
        exact = mean, squares - ops.square(mean)
    rounded = _SUMS[keras.backend.backend()](ops.stop_gradient(x), synchronized)
    return tuple(
        value + ops.stop_gradient(ops.convert_to_tensor(other) - value)
        for value, other in zip(exact, rounded, strict=True)
    )


def _jax_sums(x, synchronized):
    import jax

    sums = functools.partial(_numpy_sums, synchronized=synchronized)
    result = jax.ShapeDtypeStruct((x.shape[-1],), "float32")
    return jax.pure_callback(sums, (result, result), x)


def _torch_sums(x, synchronized):
    return _numpy_sums(ops.convert_to_numpy(x), synchronized)


def _numpy_sums(x, synchronized):
    rows = np.asarray(x, np.float32).reshape(-1, x.shape[-1])
    if synchronized:
        count = np.float32(len(rows))
        mean, squares = _in_four(rows) / count, _in_four(np.square(rows)) / count
        return mean, np.maximum(squares - np.square(mean), np.float32(0))
    share = np.float32(1.0 / len(rows))
    mean = _in_four(rows) * share
    return mean, _in_four(np.square(rows - mean)) * share


def _in_four(rows: np.ndarray) -> np.ndarray:
    whole = len(rows) // 4 * 4
    first, second, third, fourth = (rows[n:whole:4].sum(0) for n in range(4))
    total = first + second + third + fourth
    for row in rows[whole:]:
        total = total + row
    return total


_SUMS = {"jax": _jax_sums, "torch": _torch_sums}


def _forward(detector, inputs, groundtruth):
    if isinstance(detector, FasterRCNN):
        return parity_rcnn.forward(detector, inputs, groundtruth)
    features = detector.extract(inputs, training=True)
    outputs = detector.predict_maps(features, training=True)
    found = dict(detector.loss_parts(outputs, groundtruth, inputs, training=True))
    found[REGULARIZATION_LOSS] = detector.regularization()
    maps = {f"feature_maps/{n}": m for n, m in enumerate(features)}
    return sum(found.values()), ({**outputs, **maps}, found)


def _tensorflow(detector, inputs, groundtruth):
    import tensorflow as tf

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            total, (outputs, found) = _forward(detector, inputs, groundtruth)
        variables = [v.value for v in detector.trainable_variables]
        return outputs, found, tape.gradient(total, variables)

    return step()


def _jax(detector, inputs, groundtruth):
    import jax

    trainable, fixed = detector.trainable_variables, detector.non_trainable_variables

    def loss(values, rest):
        mapping = [*zip(trainable, values, strict=True), *zip(fixed, rest, strict=True)]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            total, aux = _forward(detector, inputs, groundtruth)
        return total, (aux, [scope.get_current_value(v) for v in fixed])

    step = jax.jit(jax.value_and_grad(loss, has_aux=True))
    (_, ((outputs, found), moved)), gradients = step(
        [v.value for v in trainable], [v.value for v in fixed]
    )
    for variable, value in zip(fixed, moved, strict=True):
        if value is not None:
            variable.assign(value)
    return outputs, found, gradients


def _torch(detector, inputs, groundtruth):
    detector.zero_grad()
    total, (outputs, found) = _forward(detector, inputs, groundtruth)
    total.backward()
    gradients = [v.value.grad for v in detector.trainable_variables]
    return outputs, found, gradients
