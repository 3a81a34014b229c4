"""Steps that are compiled once per shape of a batch."""

from collections.abc import Callable, Iterable
from typing import Any

import keras

Step = Callable[[Iterable[Any]], Any]


class CompiledByShape:
    """A step of `predict`, `evaluate` or `fit` on TensorFlow.

    Keras would compile for images of any size once it sees a second size, but anchors
    are made for a size that is known.

    Args:
        make: Returns a new step, as Keras makes it: a function of an iterable of
            batches that takes one of them.
    """

    def __init__(self, make: Callable[[], Step]):
        self._make = make
        self._steps: dict[Any, Step] = {}

    def __call__(self, iterator: Iterable[Any]) -> Any:
        """Runs the step for the shape of the next batch."""
        data = next(iter(iterator))
        # Without the first axis: any number of images will do.
        shape = tuple(
            tuple(value.shape)[1:] if hasattr(value, "shape") else ()
            for value in keras.tree.flatten(data)
        )
        if shape not in self._steps:
            self._steps[shape] = self._make()
        return self._steps[shape]([data])
