"""Batches made by processes: the same as by threads, and what can go wrong there."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from odapi.data.augment.flip import HorizontalFlip
from odapi.data.augment.square import ScaleCropPadToSquare
from odapi.data.image.resize import FixedShape
from odapi.data.loader.collate import Collate
from odapi.data.loader.messages import Readable, Writable, receive, send
from odapi.data.loader.order import Order
from odapi.data.loader.pipeline import Pipeline
from odapi.data.loader.processes import ProcessError
from odapi.data.problems import Problems
from odapi.errors import DataError
from odapi.labels import label_map_of

RANDOM = (HorizontalFlip(), ScaleCropPadToSquare(80, 0.5, 2.0))
# Two of them are corrupt.
COUNT, BAD = 10, (3, 7)


class Images:
    """Image i has the color i, a size of its own, and i % 3 objects."""

    name = "images"

    def __init__(self, bad=(), own_problems=True):
        self.bad, self.own_problems = bad, own_problems
        self.label_map = label_map_of(["a", "b"])
        self.problems = Problems()

    def __len__(self):
        return COUNT

    def __getitem__(self, index):
        if index in self.bad:
            if self.own_problems:
                self.problems.found("corrupt image", f"image {index}")
            raise DataError(f"image {index}", "is corrupt", hint="draw it again")
        boxes = np.tile(np.float32([0.1, 0.2, 0.6, 0.8]), (index % 3, 1))
        return {
            "image": np.full((90 + index, 60, 3), index, "uint8"),
            "image_id": f"image {index}",
            "boxes": boxes,
            "classes": np.zeros(len(boxes), "int32"),
        }


class Ends(Images):
    """Reading ends the process, as too little memory does."""

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


def pipeline_of(source=None, processes=2, **kwargs):
    source = source or Images()
    problems = source.problems if source.own_problems else Problems()
    collate = Collate(4, max_boxes=1, problems=problems)
    arguments = {"augmentations": RANDOM, "cache": 1 << 24} | kwargs
    resizer = FixedShape(80, 80)
    return Pipeline(source, resizer, collate, processes=processes, **arguments)


def take(pipeline, number):
    return [next(pipeline) for _ in range(number)]


def assert_equal(batches, others):
    for batch, other in zip(batches, others, strict=True):
        assert batch.image_ids == other.image_ids
        np.testing.assert_array_equal(batch.images, other.images)
        np.testing.assert_array_equal(batch.groundtruth.boxes, other.groundtruth.boxes)
        np.testing.assert_array_equal(batch.info.original_size, other.info[0])


@pytest.mark.parametrize("processes", [1, 3])
def test_batches_are_those_of_threads(processes):
    with pipeline_of(processes=0) as threads, pipeline_of(processes=processes) as ours:
        theirs = take(threads, 8)
        assert_equal(take(ours, 8), theirs)
    for pipeline in (threads, ours):  # What is wrong is told once.
        assert len(pipeline.problems) == 3
        assert pipeline.problems.count("more boxes than max_number_of_boxes") == 3


def test_a_resumed_run_goes_on_with_the_same_batches_by_any_number_of_processes():
    with pipeline_of(processes=2) as pipeline:
        take(pipeline, 3)
        state = pipeline.get_state()
        rest = take(pipeline, 4)
    with pipeline_of(processes=1) as other:
        other.set_state(state)
        assert_equal(take(other, 4), rest)


@pytest.mark.parametrize(("then", "now"), [(0, 1), (1, 0)])
def test_a_position_of_threads_is_none_of_processes(then, now):
    with pipeline_of(processes=then) as pipeline:
        take(pipeline, 1)
        state = pipeline.get_state()
    with pipeline_of(processes=now) as pipeline, pytest.raises(DataError) as error:
        pipeline.set_state(state)
    assert "options.data_loading.processes" in error.value.hint


@pytest.mark.parametrize("own_problems", [True, False])
def test_bad_samples_are_replaced_as_by_threads_and_counted_once(own_problems):
    kind = "corrupt image" if own_problems else "unusable image"
    with pipeline_of(Images(BAD, own_problems)) as pipeline:
        batches = take(pipeline, 10)
    ids = [image_id for batch in batches for image_id in batch.image_ids]
    assert len(ids) == 40
    assert set(ids) == {f"image {i}" for i in range(COUNT) if i not in BAD}
    assert pipeline.problems.count(kind) == 2
    for processes in (0, 1):
        with pipeline_of(Images(BAD, own_problems), processes=processes) as pipeline:
            assert_equal(take(pipeline, 10), batches)


def test_data_without_one_good_image_ends_with_a_message():
    with pipeline_of(Images(range(COUNT))) as pipeline:
        with pytest.raises(DataError, match="none of 10 images can be used"):
            next(pipeline)


def test_a_process_that_ends_is_told():
    with pipeline_of(Ends()) as pipeline:
        with pytest.raises(ProcessError, match="ended with exit code -9") as error:
            next(pipeline)
    assert "fewer processes" in error.value.hint


@pytest.mark.parametrize("where", ["here", "there"])
def test_data_that_cannot_be_sent_is_refused(where, monkeypatch):
    source = Images()
    if where == "here":
        source.file = (line for line in "")  # No generator can be pickled.
    else:
        lost = type("Lost", (Images,), {"__module__": "__main__"})
        monkeypatch.setattr(sys.modules["__main__"], "Lost", lost, raising=False)
        source = lost()
    with pipeline_of(source) as pipeline, pytest.raises(ProcessError) as error:
        next(pipeline)
    assert "options.data_loading.processes" in str(error.value)
    assert "set it to 0" in error.value.hint


def test_processes_make_no_batches_of_many_sizes():
    from odapi.data.loader.buckets import Buckets

    collate = Collate(2, buckets=Buckets(steps=2))
    with pytest.raises(ValueError, match="one size"):
        Pipeline(Images(), FixedShape(8, 8), collate, processes=1)


def children(of):
    """Returns the processes whose parent is `of`."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == of and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_closing_ends_the_processes():
    before = children(os.getpid())
    with pipeline_of() as pipeline:
        take(pipeline, 1)
        assert len(children(os.getpid())) == len(before) + 2
    assert children(os.getpid()) == before
    take(pipeline, 1)  # And they start again.
    pipeline.close()


PROGRAM = """
from test_processes import pipeline_of, take, children
import os
pipeline = pipeline_of()
take(pipeline, 2)
print(*children(os.getpid()), flush=True)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
@pytest.mark.parametrize("how", ["by itself", "killed"])
def test_processes_end_with_the_program(how):
    here = str(pathlib.Path(__file__).parent)
    wait = "import time; time.sleep(60)" if how == "killed" else ""
    program = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {here!r})\n{PROGRAM}{wait}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    numbers = [int(n) for n in program.stdout.readline().split()]
    assert len(numbers) == 2
    if how == "killed":
        program.kill()
    errors = program.communicate(timeout=60)[1]
    assert program.returncode == (-9 if how == "killed" else 0)
    assert errors == ""
    for _ in range(100):
        if not any(pathlib.Path(f"/proc/{n}").exists() for n in numbers):
            break
        time.sleep(0.05)
    assert not any(pathlib.Path(f"/proc/{n}").exists() for n in numbers)


def test_messages_of_any_size_go_through_memory_that_grows():
    memory = Writable()
    mirror = Readable(memory.path)
    assert not os.path.exists(memory.path)
    rng = np.random.default_rng(0)
    for size in (0, 1, 5000, 3_000_000, 100_000, 4_000_000):
        message = {"large": rng.random(size), "small": np.arange(3), "text": "a" * size}
        read, write = os.pipe()
        with (
            open(read, "rb", buffering=0) as inlet,
            open(write, "wb", buffering=0) as to,
        ):
            # Larger than a pipe: somebody has to read meanwhile.
            got = []
            reader = threading.Thread(target=lambda: got.append(receive(inlet, mirror)))  # noqa: B023
            reader.start()
            send(to, message, memory)
            reader.join()
        np.testing.assert_array_equal(got[0]["large"], message["large"])
        assert got[0]["large"].flags.writeable
        assert got[0]["small"].tolist() == [0, 1, 2]
        assert got[0]["text"] == message["text"]
    mirror.close()


def test_an_evaluation_has_no_processes(tmp_path):
    order = Order(training=False)
    with pipeline_of(processes=0, order=order, augmentations=()) as pipeline:
        assert len(list(pipeline)) == 3
