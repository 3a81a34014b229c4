"""The largest batch that fits, from measured memory."""

import keras
import numpy as np
import pytest

from odapi.errors import ConfigError
from odapi.runtime.memory import Memory
from odapi.training.auto_batch import (
    Sample,
    auto_batch,
    find_batch_size,
)
from odapi.training.memory_probe import Measured, measure
from tiny_samples import train_config

GB = 1024**3


class Machine:
    """Steps need `fixed` and `per_image` GB; above the limit they are killed."""

    def __init__(self, fixed, per_image):
        self.fixed, self.per_image, self.tried = fixed, per_image, []

    def __call__(self, batch, limit):
        self.tried.append(batch)
        peak = int((self.fixed + self.per_image * batch) * GB)
        before = int(self.fixed * GB)
        return Measured(batch, peak, before, 0.1) if peak <= limit else None


@pytest.mark.parametrize(
    ("fixed", "per_image", "memory", "multiple", "largest", "expected", "tried"),
    [
        # 0.85 * 10 = 8.5 GB: 1 + 0.5 n <= 8.5 at n = 15. One and two images suffice,
        # and the result is tried.
        (1.0, 0.5, 10, 1, 1000, 15, [1, 2, 15]),
        # Few megabytes per image: larger batches are measured, to 300 MB of growth.
        # (Bytes are whole numbers: 374.99...)
        (1.0, 0.02, 10, 1, 1000, 374, [1, 2, 4, 8, 16, 374]),
        # In parts of a batch: multiples of their number.
        (1.0, 0.5, 10, 4, 1000, 12, [4, 8, 12]),
        # The dataset has 9 images.
        (1.0, 0.5, 10, 1, 9, 9, [1, 2, 9]),
        # Only one image fits: its own growth is the slope.
        (1.0, 4.0, 10, 1, 1000, 1, [1]),
    ],
)
def test_the_line_through_the_measurements_meets_the_memory(
    fixed, per_image, memory, multiple, largest, expected, tried
):
    machine = Machine(fixed, per_image)
    found = find_batch_size(
        machine, Memory(memory * GB, memory * GB, "memory"), multiple, largest
    )
    assert (found.batch_size, machine.tried) == (expected, tried)
    assert found.fixed / GB == pytest.approx(fixed, abs=0.01)
    text = found.lines()[0]
    assert f"batch_size is {expected} (auto): measured" in text
    assert "15% of them are left free" in text


def test_a_batch_that_does_not_fit_when_it_is_tried_becomes_smaller():
    class Fragmented(Machine):  # Needs more than the line says from 12 images on.
        def __call__(self, batch, limit):
            return super().__call__(batch, limit if batch < 12 else 0)

    machine = Fragmented(1.0, 0.5)
    found = find_batch_size(machine, Memory(10 * GB, 10 * GB, "GPU"), 1, 1000)
    assert machine.tried == [1, 2, 15, 13, 11]
    assert found.batch_size == 11


def test_nothing_is_tried_that_would_surely_not_fit():
    machine = Machine(1.0, 5.0)
    find_batch_size(machine, Memory(10 * GB, 10 * GB, "memory"), 1, 1000)
    assert machine.tried == [1]


def test_one_image_that_does_not_fit_is_an_error():
    with pytest.raises(ConfigError, match="auto: one image needs more than 8"):
        find_batch_size(Machine(1.0, 9.0), Memory(10 * GB, 10 * GB, "m"), 1, 9)


def test_several_devices_are_refused(monkeypatch):
    monkeypatch.setattr(keras.distribution, "distribution", lambda: object())
    with pytest.raises(ConfigError, match="auto measures one device"):
        auto_batch(train_config(), None)


def _sample():
    truth = {
        "boxes": np.array([[[0.1, 0.1, 0.6, 0.6]]], "float32"),
        "classes": np.zeros((1, 1), "int32"),
        "valid": np.ones((1, 1), bool),
        "weights": np.ones((1, 1), "float32"),
    }
    return Sample({"images": np.zeros((1, 64, 64, 3), "uint8")}, truth)


@pytest.mark.slow
def test_steps_of_a_model_are_measured_in_another_process():
    config = train_config()
    found = measure(config, _sample(), 2, limit=64 * GB)
    assert found.batch_size == 2
    assert 100 * 1024**2 < found.before <= found.peak < 8 * GB
    assert 0 < found.seconds < 60
    # Above the limit, it is killed.
    assert measure(config, _sample(), 2, limit=50 * 1024**2) is None
