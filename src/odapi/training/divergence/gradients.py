"""Losses and gradients of one training step, outside of `fit`."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from odapi.losses.names import REGULARIZATION_LOSS
from odapi.models.detector import Detector
from odapi.models.inputs import as_groundtruth, as_inputs
from odapi.training.divergence.statistics import TensorStatistics, statistics_of


def loss_parts(
    detector: Detector, inputs: Mapping[str, Any], groundtruth: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the parts of the loss of a batch, as tensors, as training computes them.

    Args:
        detector: A built detector.
        inputs, groundtruth: The batch, by field.
    """
    x = as_inputs(dict(inputs), detector.num_channels)
    truth = as_groundtruth(groundtruth, detector.groundtruth_fields)
    outputs = detector(x, training=True)
    parts = dict(detector.loss_parts(outputs, truth, x, True))
    if detector.add_regularization:
        parts[REGULARIZATION_LOSS] = detector.regularization()
    return parts


def gradients(
    detector: Detector, inputs: Mapping[str, Any], groundtruth: Mapping[str, Any]
) -> dict[str, TensorStatistics]:
    """Returns statistics of the gradient of the total loss by variable.

    Variables without a gradient are left out. Random layers and moving statistics
    advance as in a step of training on TensorFlow and torch, not on JAX.

    Args:
        detector, inputs, groundtruth: See `loss_parts`.
    """
    names = {id(v): n for n, v in detector.named_variables().items()}
    variables = list(detector.trainable_variables)

    def total() -> Any:
        return sum(loss_parts(detector, inputs, groundtruth).values())

    found = _BACKENDS[keras.backend.backend()](variables, total)
    return {
        names.get(id(variable), variable.path): statistics_of(gradient)
        for variable, gradient in zip(variables, found, strict=True)
        if gradient is not None
    }


def _tensorflow(variables: list[keras.Variable], total: Any) -> list[Any]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = total()
    return [
        None if g is None else tf.convert_to_tensor(g)
        for g in tape.gradient(loss, [v.value for v in variables])
    ]


def _torch(variables: list[keras.Variable], total: Any) -> list[Any]:
    import torch

    values = [v.value for v in variables]
    return list(torch.autograd.grad(total(), values, allow_unused=True))


def _jax(variables: list[keras.Variable], total: Any) -> list[Any]:
    import jax

    def loss_of(values: list[Any]) -> Any:
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return total()

    return list(jax.grad(loss_of)([v.value for v in variables]))


_BACKENDS = {"tensorflow": _tensorflow, "torch": _torch, "jax": _jax}


def bad_rows(
    inputs: Mapping[str, Any], groundtruth: Mapping[str, Any], num_classes: int
) -> list[tuple[int, str]]:
    """Returns what no loss can use in a batch: rows of the batch, and problems.

    Args:
        inputs, groundtruth: The batch, by field.
        num_classes: Classes of the detector.
    """
    found: list[tuple[int, str]] = []
    for name, values in {**inputs, **groundtruth}.items():
        array = np.asarray(values)
        if array.dtype.kind != "f" or name == "keypoints":  # NaN there: unlabeled.
            continue
        bad = ~np.isfinite(array.reshape(len(array), -1)).all(1)
        found += [
            (int(i), f"{name} has NaN or infinite values") for i in np.where(bad)[0]
        ]
    boxes, valid = np.asarray(groundtruth["boxes"]), groundtruth.get("valid")
    valid = np.ones(boxes.shape[:2], bool) if valid is None else np.asarray(valid, bool)
    classes = np.asarray(groundtruth["classes"])
    for row in range(len(boxes)):
        mine = boxes[row][valid[row]]
        empty = int((mine[:, 2:] <= mine[:, :2]).any(1).sum())
        if empty:
            found.append((row, f"boxes without area: {empty} of {len(mine)}"))
        far = int((np.abs(mine) > 2).any(1).sum())
        if far:
            found.append((row, f"boxes far outside the image: {far} of {len(mine)}"))
        own = classes[row][valid[row]]
        if ((own < 0) | (own >= num_classes)).any():
            indices = sorted(set(own.tolist()))
            allowed = f"0 to {num_classes - 1}"
            found.append((row, f"class indices {indices} are not all in {allowed}"))
    return found
