"""Trains on batches whose images differ in size from batch to batch."""

import itertools
from collections.abc import Iterator
from typing import Any

import keras

from odapi.models.detector import Detector

Pair = tuple[dict[str, Any], dict[str, Any]]

# Axes whose length depends on the size of the images, by field.
_AXES = {"images": (1, 2), "masks": (2, 3)}


def of_any_size(batches: Iterator[Pair]) -> Any:
    """Returns pairs (x, y) in a form in which `fit` accepts images of any size.

    On TensorFlow, Keras derives the shapes from the first two batches, and images of
    a third size would end the training.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    first = next(batches)
    signature = tuple(
        {
            name: tf.TensorSpec(_relaxed(name, value.shape), value.dtype)
            for name, value in fields.items()
        }
        for fields in first
    )
    return tf.data.Dataset.from_generator(
        lambda: itertools.chain([first], batches), output_signature=signature
    )


def _relaxed(name: str, shape: tuple[int, ...]) -> list[int | None]:
    return [
        None if axis in _AXES.get(name, ()) else length
        for axis, length in enumerate(shape)
    ]


def compile_by_size(detector: Detector) -> None:
    """Makes `fit` compile one step per image size on TensorFlow.

    Keras would compile for any size once it sees a second one, but anchors and
    padding need a known size. Other backends compile per size by themselves.
    """
    if keras.backend.backend() == "tensorflow" and not detector.run_eagerly:
        detector.train_function = _StepsBySize(detector)


class _StepsBySize:
    """A training step that is compiled once per shape of a batch.

    On several devices, it runs on each one with its part of the batch.
    """

    def __init__(self, detector: Detector):
        self.detector = detector
        self._steps: dict[Any, Any] = {}

    def __call__(self, iterator: Iterator[Any]) -> Any:
        import tensorflow as tf

        data = next(iterator)
        strategy = self.detector.distribute_strategy
        first = [
            strategy.experimental_local_results(v)[0] for v in tf.nest.flatten(data)
        ]
        shapes = tuple(tuple(value.shape) for value in first)
        if shapes not in self._steps:
            self._steps[shapes] = tf.function(
                self._step, autograph=False, jit_compile=self.detector.jit_compile
            )
        return self._steps[shapes](data)

    def _step(self, data: Any) -> dict[str, Any]:
        strategy = self.detector.distribute_strategy
        losses = strategy.run(self.detector.train_step, (data,))
        return {
            name: strategy.reduce("MEAN", value, axis=None)
            for name, value in losses.items()
        }
