"""Which kind of device the active backend computes on."""

import functools

from keras import ops


@functools.cache
def computes_on_cpu() -> bool:
    """Returns whether tensors land on a CPU: no accelerator is seen.

    To be asked first outside of a compiled function, where tensors lie nowhere.
    """
    # The one question that all three backends answer: where a new tensor lies.
    return "cpu" in str(ops.zeros((1,), dtype="float32").device).lower()
