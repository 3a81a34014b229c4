"""The estimate of the memory of a training."""

import keras
import numpy as np
import pytest

from odapi.runtime.memory import Memory, host_memory, peak, resident, shown
from odapi.training import memory_estimate
from odapi.training.memory_estimate import (
    MemoryEstimate,
    activation_bytes,
    estimate_memory,
    warning_line,
)
from tiny_detector import TinyDetector

GB = 1024**3


def _batch(number):
    x = {"images": np.zeros((number, 16, 16, 3), "uint8")}
    y = {
        "boxes": np.zeros((number, 1, 4), "float32"),
        "classes": np.zeros((number, 1), "int32"),
    }
    return x, y


def test_activations_are_the_outputs_of_the_layers():
    detector = TinyDetector()
    # Per image, values of 4 bytes: conv and batch norm 7 x 7 x 8, dropout 8, head 6.
    per_image = 4 * (2 * 7 * 7 * 8 + 8 + 6)
    assert activation_bytes(detector, *_batch(4), parts=1) == 4 * per_image
    assert activation_bytes(detector, *_batch(4), parts=2) == 2 * per_image
    assert "call" not in vars(detector.conv)  # Left as it was.


def test_parts_of_the_estimate_add_up(monkeypatch):
    monkeypatch.setattr(memory_estimate, "computes_on_cpu", lambda: True)
    detector = TinyDetector()
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(detector.trainable_variables)
    found = estimate_memory(detector, optimizer, *_batch(4))
    # conv 3 x 3 x 3 x 8 + 8, batch norm 2 x 8, head 8 x 6 + 6.
    assert found.gradients == 4 * (224 + 16 + 54)
    # 3 batches of 4 images, boxes and classes.
    assert found.batches == 3 * 4 * (16 * 16 * 3 + 16 + 4)
    assert found.total == sum(found)
    assert estimate_memory(detector, optimizer, *_batch(4), before=9000).process == 9000
    assert f"activations {shown(found.activations)}" in found.line()


@pytest.mark.parametrize(("on_cpu", "share", "copies"), [(True, 1, 2), (False, 2, 1)])
def test_devices_of_a_cpu_share_its_memory(monkeypatch, on_cpu, share, copies):
    monkeypatch.setattr(memory_estimate, "computes_on_cpu", lambda: on_cpu)
    detector = TinyDetector()
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(detector.trainable_variables)
    one = estimate_memory(detector, optimizer, *_batch(4))
    two = estimate_memory(detector, optimizer, *_batch(4), devices=2)
    assert two.activations == one.activations // share
    assert two.gradients == one.gradients * copies
    assert two.batches == one.batches // share


def test_more_than_the_device_has_is_a_named_warning():
    memory = Memory(4 * GB, 2 * GB, "GPU memory")
    line = warning_line(5 * GB, memory, 8)
    assert line.startswith("MemoryWarning: about 5.00 GB are needed for batches of 8")
    assert "4.00 GB of GPU memory" in line
    assert warning_line(3 * GB, memory, 8) == ""
    assert warning_line(5 * GB, None, 8) == ""


def test_an_estimate_names_only_what_there_is():
    estimate = MemoryEstimate(0, GB, 0, 0, 2 * GB, 0)
    assert estimate.line() == (
        "3.00 GB estimated (weights 1.00 GB, activations 2.00 GB)"
    )


def test_memory_of_this_process():
    memory, now, most = host_memory(), resident(), peak()
    if memory is None or now is None or most is None:
        return  # Not on this system.
    assert 0 < memory.available <= memory.total
    assert 10 * 1024**2 < now <= most * 1.01 < memory.total * 1.01
