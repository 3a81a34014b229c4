"""Picking rows of each image by index."""

from keras import ops

from odapi.structures import Tensor


def gather_rows(values: Tensor, index: Tensor) -> Tensor:
    """Returns `[b, k, ...]`: row `index[i, j]` of `values[i]`.

    As one gather from a flat table, which every backend does fast and every export
    format knows; `ops.take_along_axis` transposes the whole tensor on TensorFlow.

    Args:
        values: `[b, n, ...]`.
        index: `[b, k]` int32 in [0, n).
    """
    shape = ops.shape(values)
    batch, rows = shape[0], shape[1]
    flat = ops.reshape(values, (-1, *values.shape[2:]))
    start = rows * ops.arange(batch, dtype="int32")
    return ops.take(flat, ops.cast(index, "int32") + start[:, None], axis=0)
