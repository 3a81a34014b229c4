"""Training on images of many sizes: one step is compiled per size."""

import keras
import numpy as np
import pytest

from odapi.structures import Batch
from tiny_detector import TinyDetector, TinyPipeline

SIZES = [(16, 16), (16, 16), (16, 24), (24, 16), (16, 24), (16, 16), (24, 16)]


class AnySize(TinyDetector):
    """Records the sizes it is traced for (or called with, without tracing)."""

    def __init__(self):
        super().__init__()
        self.image_size = None
        self.traced = []

    def call(self, inputs, training=False):
        if training:
            self.traced.append(tuple(inputs["images"].shape[1:3]))
        return super().call(inputs, training)


class ManySizes(TinyPipeline):
    def __iter__(self):
        for batch in super().__iter__():
            yield self._of_size(batch, SIZES[(self.next - 1) % len(SIZES)])

    @staticmethod
    def _of_size(batch: Batch, size: tuple[int, int]) -> Batch:
        rows, columns = np.subtract(size, 16)
        pad = ((0, 0), (0, rows), (0, columns), (0, 0))
        return batch._replace(images=np.pad(batch.images, pad))


@pytest.mark.backend
def test_each_size_is_compiled_once(run):
    run.detector, run.pipeline = AnySize(), ManySizes()
    outcome = run(num_steps=len(SIZES) + 4)
    assert outcome.step == len(SIZES) + 4
    traced = run.detector.traced
    assert set(traced) == set(SIZES)
    if keras.backend.backend() != "torch":  # Which compiles nothing.
        assert len(traced) == 3


def test_a_training_on_many_sizes_is_resumed(run):
    run.detector, run.pipeline = AnySize(), ManySizes()
    run(num_steps=4)
    run.detector, run.pipeline = AnySize(), ManySizes()
    assert run(num_steps=9).step == 9
    assert run.pipeline.next >= 9
