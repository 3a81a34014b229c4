"""Values of one training step that runs on several devices of TensorFlow.

TensorFlow's strategies run the step once per device, each on its part of the batch: a
"replica". JAX runs one program on the whole batch. There, on torch and on one device
all functions of this module return their argument.

Use them where a value depends on other images of the batch. Replicas must call them
in the same order, and never within a branch or a loop of `keras.ops`.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


def num_replicas() -> int:
    """Returns the number of replicas of the step that calls it, usually 1."""
    context = _context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def num_replicas_in_scope() -> int:
    """Returns the number of replicas of models that are built here, usually 1."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def sum_over_replicas(value: Any) -> Any:
    """Returns the sum of a tensor, or of each one of a list, over the replicas."""
    context = _context()
    return value if context is None else context.all_reduce("sum", value)


def mean_over_replicas(value: Any) -> Any:
    """Returns the mean of a tensor over the replicas."""
    context = _context()
    return value if context is None else context.all_reduce("mean", value)


def average_over_replicas(variables: Sequence[keras.Variable]) -> None:
    """Assigns to variables, which differ between replicas, their means."""
    context = _context()
    if context is None or not variables:
        return
    # As one list, which is sent at once.
    means = context.all_reduce("mean", [ops.convert_to_tensor(v) for v in variables])
    for variable, mean in zip(variables, means, strict=True):
        variable.assign(mean)


def random_rows(shape: Sequence[Any], seed: Any, low: float = 0, high: float = 1):
    """Returns uniform random numbers for the images of a batch.

    Each replica draws those of the whole batch and takes its rows, so that they are
    those of one device.

    Args:
        shape: `(b, ...)`, where b images are on this replica.
        seed: Seed for `keras.random`.
        low, high: Range of the numbers.
    """
    context = _context()
    if context is None:
        return keras.random.uniform(tuple(shape), low, high, seed=seed)
    rows = shape[0]
    whole = (rows * context.num_replicas_in_sync, *shape[1:])
    drawn = keras.random.uniform(whole, low, high, seed=seed)
    first = context.replica_id_in_sync_group * rows
    return ops.slice(drawn, (first, *[0] * (len(whole) - 1)), tuple(shape))


def _context() -> Any:
    """Returns the context of a replica, if there are several; else None."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None
    return context
