"""Kind of the device that the active backend uses."""

import functools

from keras import ops


@functools.cache
def computes_on_cpu() -> bool:
    """Returns whether new tensors are on a CPU: no accelerator is visible.

    The first call must be outside of a compiled function, where tensors have no device.
    """
    # Works on all three backends: the device of a new tensor.
    return "cpu" in str(ops.zeros((1,), dtype="float32").device).lower()
