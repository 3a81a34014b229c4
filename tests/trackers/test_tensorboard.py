"""Event files that TensorBoard reads; trackers that fail."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from odapi.errors import MissingPackageError
from odapi.trackers.fail_safe import FailSafeTracker
from odapi.trackers.tensorboard import TensorBoard


def read(folder):
    """Reads the folder as TensorBoard itself does."""
    from tensorboard.backend.event_processing.event_accumulator import (
        EventAccumulator,
    )

    return EventAccumulator(str(folder)).Reload()


def test_scalars_and_images_are_read_back(tmp_path):
    board = TensorBoard(tmp_path / "train")
    image = np.full((20, 30, 3), 200, np.uint8)
    board.scalars(1, {"Loss/total_loss": 2.5, "learning_rate": 0.1})
    board.scalars(100, {"Loss/total_loss": 1.5})
    board.images(100, "train_input_images", [image, image[:10]])
    board.close()

    events = read(tmp_path / "train")
    tags = events.Tags()
    assert tags["scalars"] == ["Loss/total_loss", "learning_rate"]
    assert tags["images"] == ["train_input_images", "train_input_images/1"]
    found = [(e.step, e.value) for e in events.Scalars("Loss/total_loss")]
    assert found == [(1, 2.5), (100, 1.5)]
    [event] = events.Images("train_input_images/1")
    assert (event.step, event.height, event.width) == (100, 10, 30)
    pixels = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    assert abs(int(pixels.mean()) - 200) <= 1


def test_a_resumed_run_adds_a_file(tmp_path):
    for step in (1, 2):
        board = TensorBoard(tmp_path)
        board.scalars(step, {"a": step})
        board.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert [e.step for e in read(tmp_path).Scalars("a")] == [1, 2]


def test_nothing_is_written_before_there_is_something(tmp_path):
    TensorBoard(tmp_path / "eval").close()
    assert not (tmp_path / "eval").exists()


def test_without_the_package_the_way_to_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto", None)
    with pytest.raises(MissingPackageError, match=r'pip install "odapi\[track\]"'):
        TensorBoard(tmp_path)


class Failing:
    def __init__(self, calls):
        self.calls = calls

    def scalars(self, step, values):
        self.calls.append(step)
        if step == 2:
            raise OSError("disk full")

    def images(self, step, tag, images):
        self.calls.append(tag)

    def close(self):
        self.calls.append("close")


def test_a_tracker_that_fails_is_left_out_after_one_warning():
    calls, warnings = [], []
    tracker = FailSafeTracker(lambda: Failing(calls), warnings.append)
    for step in (1, 2, 3):
        tracker.scalars(step, {})
    tracker.images(4, "tag", [])
    tracker.close()
    assert calls == [1, 2]
    [warning] = warnings
    assert "could not write and is off: OSError: disk full" in warning


def test_a_tracker_that_cannot_start_is_left_out():
    warnings = []

    def make():
        raise MissingPackageError("TensorBoard", "tensorboard", "track")

    tracker = FailSafeTracker(make, warnings.append)
    tracker.scalars(1, {})
    tracker.close()
    assert len(warnings) == 1 and "could not start" in warnings[0]
