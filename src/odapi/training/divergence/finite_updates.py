"""Updates that are left out if a gradient is NaN, infinite or too large."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

# Its square is the largest number of float32.
MAX_GRADIENT = 1.844e19


def skip_non_finite(
    optimizer: keras.optimizers.Optimizer, num_replicas: int = 1
) -> bool:
    """Makes an optimizer change nothing in a step whose gradients are not finite.

    See `are_finite`. Weights, slots, averages and `iterations` then keep the values
    from before the step, so that it can be saved and repeated without a copy of them in
    every step.
    The squares of the gradients are summed for it, one number per variable.

    Args:
        optimizer: Built. One that scales the loss skips such steps by itself.
        num_replicas: Devices that TensorFlow distributes the update over.

    Returns:
        False if it is left as it is: where TensorFlow distributes the update over
        devices, it cannot depend on a condition.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return False
    backend = keras.backend.backend()
    if backend == "jax":
        optimizer.stateless_apply = _selecting(optimizer.stateless_apply)
        return True
    if backend == "tensorflow":
        if num_replicas > 1:
            return False
        optimizer.apply = _conditional(optimizer.apply)
        return True
    optimizer.apply = _eager(optimizer.apply)
    return True


def are_finite(gradients: Sequence[Any]) -> Any:
    """Returns a boolean tensor: True if all gradients and their squares are finite.

    A sum is infinite or NaN if one of its terms is. The squares, as optimizers and
    clipping by norm compute them: above `MAX_GRADIENT` they are infinite, and the
    weights become NaN a step later.
    """
    dense = [ops.cast(_dense(g), "float32") for g in gradients if g is not None]
    sums = [ops.sum(ops.square(g)) for g in dense]
    return ops.isfinite(ops.sum(ops.stack(sums))) if sums else ops.array(True)


def _dense(gradient: Any) -> Any:
    """Returns the values of a gradient, which TensorFlow may give as rows."""
    is_rows = type(gradient).__name__ == "IndexedSlices"
    return gradient.values if is_rows else gradient


def _conditional(apply: Callable[..., None]) -> Callable[..., None]:
    """Returns `apply` of TensorFlow within a condition."""

    def applied(grads: list[Any], trainable_variables: Any = None) -> None:
        import tensorflow as tf

        def update() -> Any:
            apply(grads, trainable_variables)
            return tf.constant(True)

        tf.cond(are_finite(grads), update, lambda: tf.constant(False))

    return applied


def _eager(apply: Callable[..., None]) -> Callable[..., None]:
    """Returns `apply` of torch, which computes step by step."""

    def applied(grads: list[Any], trainable_variables: Any = None) -> None:
        if bool(are_finite(grads)):
            apply(grads, trainable_variables)

    return applied


def _selecting(stateless_apply: Callable[..., Any]) -> Callable[..., Any]:
    """Returns `stateless_apply` of JAX, which selects old or new values.

    XLA fuses the selection with the update.
    """

    def applied(optimizer_variables: Any, grads: Any, trainable_variables: Any) -> Any:
        old = (list(trainable_variables), list(optimizer_variables))
        new = stateless_apply(optimizer_variables, grads, trainable_variables)
        keep = are_finite(grads)
        return tuple(
            [ops.where(keep, n, o) for n, o in zip(after, before, strict=True)]
            for after, before in zip(new, old, strict=True)
        )

    return applied
