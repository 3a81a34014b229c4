"""Gradient accumulation: an update from a batch that is computed in parts.

A step of `fit` remains one update of one batch, so that steps, learning rates, moving
averages, checkpoints and resuming do not know of it: there is no state between the
parts. The gradient is the mean of those of the parts, whose losses are normalized by
the objects of the whole batch. Part `i` of `n` has the images `i, i + n, i + 2n, ...`,
so that a batch that is sharded over devices stays on them.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
from keras import ops, tree

from odapi.errors import ConfigError
from odapi.losses.normalizer import BatchTotals, total_of_devices
from odapi.models.detector import Detector
from odapi.models.inputs import as_groundtruth, as_inputs

Pair = tuple[Any, Any]


def accumulate(detector: Detector, parts: int) -> None:
    """Makes `fit` compute each batch in parts; call it before `fit`.

    Args:
        detector: Its `train_step` is replaced.
        parts: Number of parts; the batch size divides by it. 1 changes nothing.

    Raises:
        ConfigError: The detector is in a strategy of TensorFlow with several devices.
    """
    if parts == 1:
        return
    strategy = getattr(detector, "distribute_strategy", None)
    if getattr(strategy, "num_replicas_in_sync", 1) > 1:
        raise cannot_accumulate(parts)
    step = _STEPS[keras.backend.backend()]

    def train_step(*arguments: Any) -> Any:
        return step(detector, parts, *arguments)

    detector.train_step = train_step


def cannot_accumulate(parts: int) -> ConfigError:
    """Returns the error for parts of a batch on several devices of TensorFlow."""
    return ConfigError(
        "options.gradient_accumulation",
        f"is {parts}, which TensorFlow cannot do on several devices",
        hint="use one device, or --backend jax",
    )


def _pair(data: Any) -> Pair:
    x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
    return x, y


def _batch_totals(
    detector: Detector, pieces: list[Pair], spec_of: Callable[[Any], Any]
) -> list[Any] | None:
    """Returns the sums over all parts by which the losses are normalized.

    They depend on the groundtruth alone: the outputs of the model are zeros here.
    Two-stage detectors have none, None: their losses are means over images.
    """
    if not detector.sums_over_batch:
        return None
    first, _ = pieces[0]
    outputs = spec_of(as_inputs(first, detector.num_channels))
    batch = ops.shape(tree.flatten(first)[0])[0]
    zeros = tree.map_structure(
        lambda spec: ops.zeros(
            [batch if n is None else n for n in spec.shape], spec.dtype
        ),
        outputs,
    )
    sums: list[list[Any]] = []
    recorder = BatchTotals()
    for x, y in pieces:
        inputs = as_inputs(x, detector.num_channels)
        truth = as_groundtruth(y, detector.groundtruth_fields)
        with recorder.used():
            detector.loss_parts(zeros, truth, inputs, training=True)
        sums.append(recorder.recorded)
    return [
        total_of_devices(sum(each[1:], each[0])) for each in zip(*sums, strict=True)
    ]


def _normalized(parts: int, totals: list[Any] | None) -> Any:
    """Context in which a part is normalized by the totals of its batch, if any."""
    if totals is None:
        return contextlib.nullcontext()
    return BatchTotals(parts, totals).used()


def _spec_of(detector: Detector) -> Callable[[Any], Any]:
    """Returns a function from inputs to the shapes of the outputs of a detector."""

    def spec_of(inputs: Any) -> Any:
        specs = tree.map_structure(
            lambda value: keras.KerasTensor(
                value.shape, keras.backend.standardize_dtype(value.dtype)
            ),
            inputs,
        )
        return detector.compute_output_spec(specs, training=True)

    return spec_of


def _mean_gradients(gradients: list[Any], parts: int) -> list[Any]:
    return [None if g is None else g / float(parts) for g in gradients]


def _track_loss(detector: Detector, loss: Any) -> None:
    """Updates the mean that `fit` reports as "loss"."""
    for metric in detector.metrics:
        if metric.name == "loss":
            metric.update_state(loss)


def _parts_of(value: Any, parts: int) -> Any:
    """Returns `[parts, b / parts, ...]` of a value `[b, ...]`."""
    shape = ops.shape(value)
    split = ops.reshape(value, (shape[0] // parts, parts, *shape[1:]))
    return ops.swapaxes(split, 0, 1)


def _step_on_torch(detector: Detector, parts: int, data: Any) -> dict[str, Any]:
    import torch

    pieces = [
        tree.map_structure(lambda v, i=i: v[i::parts], _pair(data))
        for i in range(parts)
    ]
    with torch.no_grad():
        totals = _batch_totals(detector, pieces, _spec_of(detector))
    detector.zero_grad()
    for x, y in pieces:
        with _normalized(parts, totals):
            outputs = detector(x, training=True)
            loss = detector.compute_loss(x=x, y=y, y_pred=outputs, training=True)
        _track_loss(detector, loss)
        detector.optimizer.scale_loss(loss / float(parts)).backward()
    variables = list(detector.trainable_weights)
    with torch.no_grad():
        detector.optimizer.apply([v.value.grad for v in variables], variables)
    return detector.get_metrics_result()


def _step_on_tensorflow(detector: Detector, parts: int, data: Any) -> dict[str, Any]:
    import tensorflow as tf

    pair = _pair(data)
    pieces = [
        tree.map_structure(lambda v, i=i: v[i::parts], pair) for i in range(parts)
    ]
    totals = _batch_totals(detector, pieces, _spec_of(detector))
    variables = list(detector.trainable_weights)
    unconnected = [False] * len(variables)

    def gradients_of_part(index: Any, *sums: Any) -> tuple[Any, ...]:
        x, y = tree.map_structure(lambda v: v[index::parts], pair)
        with tf.GradientTape() as tape:
            with _normalized(parts, totals):
                outputs = detector(x, training=True)
                loss = detector.compute_loss(x=x, y=y, y_pred=outputs, training=True)
            _track_loss(detector, loss)
            scaled = detector.optimizer.scale_loss(loss)
        found = tape.gradient(scaled, variables)
        unconnected[:] = [g is None for g in found]
        added = [
            s if g is None else s + tf.convert_to_tensor(g)
            for s, g in zip(sums, found, strict=True)
        ]
        return (index + 1, *added)

    # A loop, since the parts of an unrolled graph would run simultaneously.
    _, *sums = tf.while_loop(
        lambda index, *_: index < parts,
        gradients_of_part,
        (tf.constant(0), *(tf.zeros(v.shape, v.dtype) for v in variables)),
        parallel_iterations=1,
        maximum_iterations=parts,
    )
    gradients = [
        None if is_missing else s
        for s, is_missing in zip(sums, unconnected, strict=True)
    ]
    detector.optimizer.apply_gradients(
        zip(_mean_gradients(gradients, parts), variables, strict=True)
    )
    return detector.get_metrics_result()


def _step_on_jax(detector: Detector, parts: int, state: Any, data: Any) -> Any:
    import jax

    trainable, others, optimizer, metrics = state
    pair = tree.map_structure(lambda v: _parts_of(v, parts), _pair(data))
    pieces = [tree.map_structure(lambda v, i=i: v[i], pair) for i in range(parts)]
    totals = _batch_totals(
        detector,
        pieces,
        lambda inputs: jax.eval_shape(
            lambda: detector.stateless_call(trainable, others, inputs, training=True)[0]
        ),
    )
    gradients_of = jax.value_and_grad(detector.compute_loss_and_updates, has_aux=True)

    def add_part(carry: Any, piece: Pair) -> Any:
        sums, others, metrics = carry
        with _normalized(parts, totals):
            (_, aux), found = gradients_of(
                trainable,
                others,
                metrics,
                *piece,
                None,
                training=True,
                optimizer_variables=optimizer,
            )
        loss, _, others, metrics = aux
        sums = [a + b for a, b in zip(sums, found, strict=True)]
        return (sums, list(others), list(metrics)), loss

    start = [jax.numpy.zeros_like(v) for v in trainable]
    (sums, others, metrics), losses = jax.lax.scan(
        add_part, (start, list(others), list(metrics)), pair
    )
    trainable, optimizer = detector.optimizer.stateless_apply(
        optimizer, _mean_gradients(sums, parts), trainable
    )
    mapping = list(zip(detector.metrics_variables, metrics, strict=True))
    with keras.StatelessScope(state_mapping=mapping) as scope:
        _track_loss(detector, jax.numpy.mean(losses))
        logs = detector.get_metrics_result()
    metrics = [scope.get_current_value(v) for v in detector.metrics_variables]
    return logs, (trainable, others, optimizer, metrics)


_STEPS: dict[str, Callable[..., Any]] = {
    "tensorflow": _step_on_tensorflow,
    "jax": _step_on_jax,
    "torch": _step_on_torch,
}
