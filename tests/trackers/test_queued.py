"""Trackers that hang, fail or are slow do not stop a run."""

import threading

import numpy as np
import pytest

from odapi.trackers.fail_safe import FailSafeTracker
from odapi.trackers.queued import QueuedTracker
from odapi.trackers.tracker import CombinedTracker, PrefixedTracker

IMAGE = np.zeros((10, 10, 3), np.uint8)  # 300 bytes


class Recording:
    """Has all methods; each call waits until the gate is open."""

    def __init__(self):
        self.calls, self.gate, self.reached = [], threading.Event(), threading.Event()
        self.gate.set()

    def __getattr__(self, method):
        def call(*arguments):
            self.reached.set()
            self.gate.wait(20)
            self.calls.append((method, *arguments))

        return call


class Minimal:
    """Has the four methods that every tracker must have."""

    def __init__(self):
        self.calls = []

    def scalars(self, step, values):
        self.calls.append(("scalars", step, values))

    def images(self, step, tag, images):
        self.calls.append(("images", step, tag))

    def text(self, tag, text):
        self.calls.append(("text", tag, text))

    def close(self):
        self.calls.append("close")


@pytest.fixture
def recording():
    tracker = Recording()
    yield tracker
    tracker.gate.set()


def queued(tracker, warnings, **options):
    return QueuedTracker(lambda: tracker, warnings.append, "Fake", **options)


def test_records_arrive_in_order_and_close_waits_for_them(recording, tmp_path):
    warnings = []
    queue = queued(recording, warnings)
    values = {"a": 1.0}
    queue.parameters({"lr": 0.1})
    queue.text("config", "x: 1")
    queue.scalars(1, values)
    values["a"] = 2.0  # What was handed over does not change.
    queue.table(1, "classes", [{"class": "cat"}])
    queue.artifact("best", tmp_path)
    queue.failed("broken")
    queue.close()
    assert recording.calls == [
        ("parameters", {"lr": 0.1}),
        ("text", "config", "x: 1"),
        ("scalars", 1, {"a": 1.0}),
        ("table", 1, "classes", [{"class": "cat"}]),
        ("artifact", "best", tmp_path),
        ("failed", "broken"),
        ("close",),
    ]
    assert warnings == []
    queue.scalars(2, values)  # After the end, nothing happens.
    queue.close()
    assert recording.calls[-1] == ("close",)


def test_a_tracker_with_four_methods_gets_only_these(tmp_path):
    tracker, warnings = Minimal(), []
    queue = queued(tracker, warnings)
    queue.parameters({"lr": 0.1})
    queue.table(1, "classes", [])
    queue.artifact("best", tmp_path)
    queue.scalars(1, {"a": 1.0})
    queue.failed("broken")
    queue.close()
    assert tracker.calls == [("scalars", 1, {"a": 1.0}), "close"]
    assert warnings == []


def test_without_records_nothing_is_started():
    made = []
    queue = QueuedTracker(lambda: made.append(1), print, "Fake")
    queue.failed("before anything was recorded")
    queue.close()
    assert made == []


def test_a_tracker_of_the_user_is_closed_even_without_records(recording):
    queue = queued(recording, [], is_lazy=False)
    queue.close()
    assert recording.calls == [("close",)]


def test_a_tracker_that_hangs_is_given_up_after_the_time_limit(recording):
    recording.gate.clear()
    warnings = []
    queue = queued(recording, warnings, close_seconds=0.05)
    for step in range(5):
        queue.scalars(step, {})
    recording.reached.wait(20)
    queue.close()
    [warning] = warnings
    assert warning == (
        "warning: Fake did not finish within 0 s; 4 records of the queue and the one "
        "in progress may be missing there (options.trackers.close_seconds). The files "
        "of the run are complete."
    )
    recording.gate.set()
    queue._thread.join(20)
    assert recording.calls == [("scalars", 0, {})]  # The rest is not sent later.


def test_a_tracker_that_hangs_while_it_starts_is_given_up():
    gate, warnings = threading.Event(), []
    queue = QueuedTracker(lambda: gate.wait(20), warnings.append, "Fake", 0.05)
    queue.scalars(1, {})
    queue.close()
    gate.set()
    [warning] = warnings
    assert "Fake did not finish within 0 s; 1 record of the queue" in warning


def test_an_interrupted_run_waits_less(recording):
    recording.gate.clear()
    warnings = []
    queue = queued(recording, warnings, close_seconds=1000)
    queue.scalars(1, {})
    queue.close(at_most=0.05)
    assert len(warnings) == 1


def test_a_slow_tracker_loses_the_oldest_images_first(recording):
    recording.gate.clear()
    warnings = []
    queue = queued(recording, warnings, max_records=4)
    queue.text("first", "is in progress")
    recording.reached.wait(20)
    queue.images(1, "a", [IMAGE])
    queue.images(2, "a", [IMAGE])
    queue.scalars(1, {})
    queue.scalars(2, {})
    queue.text("config", "is kept")  # Drops the image of step 1.
    queue.scalars(3, {})  # Drops the image of step 2.
    queue.scalars(4, {})  # Drops the scalars of step 1.
    recording.gate.set()
    queue.close()
    kept = [call[:2] for call in recording.calls[1:]]
    assert kept[:4] == [
        ("scalars", 2),
        ("text", "config"),
        ("scalars", 3),
        ("scalars", 4),
    ]
    [warning] = warnings
    assert "too slow; records were dropped: 2 of images, 1 of scalars" in warning


def test_images_are_bounded_by_their_bytes(recording):
    recording.gate.clear()
    warnings = []
    queue = queued(recording, warnings, max_image_bytes=650)
    queue.text("first", "is in progress")
    recording.reached.wait(20)
    for step in (1, 2, 3):
        queue.images(step, "a", [IMAGE])
    recording.gate.set()
    queue.close()
    assert [call[1] for call in recording.calls if call[0] == "images"] == [2, 3]
    assert "1 of images" in warnings[0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("<html>" + "x" * 999), "could not write and is off: ValueError:"),
        (SystemExit(3), "is off: SystemExit: 3"),
    ],
)
def test_a_tracker_that_raises_is_off_after_one_warning(error, said):
    class Raising(Minimal):
        def scalars(self, step, values):
            self.calls.append(step)
            raise error

    tracker, warnings = Raising(), []
    queue = queued(tracker, warnings)
    for step in range(3):
        queue.scalars(step, {})
    queue.close()
    assert tracker.calls == [0]
    [warning] = warnings
    assert said in warning and len(warning) < 500


def test_warnings_are_shown_by_the_thread_of_the_run():
    threads, done = [], threading.Event()

    def make():
        done.set()
        raise RuntimeError("no server")

    queue = QueuedTracker(make, lambda line: threads.append(threading.get_ident()))
    queue.scalars(1, {})
    done.wait(20)
    queue.close()
    assert threads == [threading.get_ident()]


def test_prefixes_are_put_before_names_but_not_before_parameters(recording, tmp_path):
    tracker = CombinedTracker([PrefixedTracker(recording, "eval/")])
    tracker.scalars(1, {"mAP": 0.5})
    tracker.images(1, "found", [])
    tracker.table(1, "classes", [])
    tracker.text("note", "x")
    tracker.parameters({"lr": 1})
    tracker.artifact("best", tmp_path)
    tracker.failed("x")
    tracker.close()
    assert recording.calls == [
        ("scalars", 1, {"eval/mAP": 0.5}),
        ("images", 1, "eval/found", []),
        ("table", 1, "eval/classes", []),
        ("text", "eval/note", "x"),
        ("parameters", {"lr": 1}),
        ("artifact", "best", tmp_path),
    ]


def test_a_full_disk_does_not_turn_a_tracker_off():
    import errno

    class Full(Minimal):
        def scalars(self, step, values):
            super().scalars(step, values)
            if step == 1:
                raise OSError(errno.ENOSPC, "No space left on device")

    tracker, warnings = Full(), []
    safe = FailSafeTracker(lambda: tracker, warnings.append, "Fake")
    for step in (1, 2):
        safe.scalars(step, {})
    assert [call[1] for call in tracker.calls] == [1, 2]
    assert len(warnings) == 1 and "later values are tried again" in warnings[0]
