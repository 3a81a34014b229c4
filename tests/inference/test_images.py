"""Image sources: arrays, PIL images, iterators, and the stream of predictions."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

from evaluation_fakes import LABEL_MAP
from odapi.draw.file import save_image
from odapi.errors import DataError
from odapi.inference.images import open_images
from odapi.inference.predict import collect, open_stream
from odapi.inference.stream import batch_size_for

GRAY = np.full((4, 6), 7, np.uint8)
RGB = np.dstack([GRAY, GRAY + 1, GRAY + 2])
RGBA = np.dstack([RGB, GRAY * 0])


def read(source):
    images = open_images(source)
    return [row.image for row in images.rows], images.total


@pytest.mark.parametrize(
    ("source", "expected", "total"),
    [
        (RGB, [RGB], 1),
        (RGBA, [RGB], 1),
        (GRAY, [np.dstack([GRAY] * 3)], 1),
        (GRAY[..., None], [np.dstack([GRAY] * 3)], 1),
        (np.stack([RGB, RGB + 1]), [RGB, RGB + 1], 2),
        ([RGB, np.stack([RGB, RGBA[..., :3]])], [RGB] * 3, 3),
        (Image.fromarray(RGB), [RGB], 1),
        (Image.fromarray(RGBA), [RGB], 1),
        (Image.fromarray(GRAY), [np.dstack([GRAY] * 3)], 1),
        ((Image.fromarray(RGB), RGB), [RGB] * 2, 2),
        ((RGB for _ in range(3)), [RGB] * 3, None),
        (np.zeros((0, 4, 6, 3), np.uint8), [], 0),
        (iter([]), [], None),
    ],
)
def test_sources_in_memory(source, expected, total):
    images, number = read(source)
    assert number == total and len(images) == len(expected)
    for image, wanted in zip(images, expected, strict=True):
        assert image.dtype == np.uint8 and image.tolist() == wanted.tolist()


def test_encoded_images_and_open_files(tmp_path):
    path = save_image(tmp_path / "a.png", RGB)
    data = path.read_bytes()
    with path.open("rb") as one, path.open("rb") as other:
        sources = [data, bytearray(data), memoryview(data), one, [data, other]]
        for source in [*sources, iter([data]), np.array([data], object)]:
            images, _ = read(source)
            assert [i.tolist() for i in images] == [RGB.tolist()] * len(images)
            assert images
    images = open_images([data, b"no", io.BytesIO(b"")])
    rows = list(images.rows)
    assert images.total == 3 and rows[0].image is not None
    assert [str(row.path) for row in rows[1:]] == ["image 2", "image 3"]
    assert rows[2].problem == "is empty (0 bytes)"


def test_arrays_of_several_sizes_are_a_list():
    ragged = np.empty(2, object)
    ragged[:] = [RGB, RGB[:2]]
    images, total = read(ragged)
    assert total == 2 and [i.shape for i in images] == [(4, 6, 3), (2, 6, 3)]


class Tensor:
    """A tensor of a backend; `fails` like one on another device."""

    shape = RGB.shape

    def __init__(self, fails=False):
        self.fails = fails

    def __array__(self, dtype=None, copy=None):
        if self.fails:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        return RGB


def test_tensors_are_arrays():
    for source in (Tensor(), [Tensor()], iter([Tensor()])):
        assert [i.tolist() for i in read(source)[0]] == [RGB.tolist()]
    with pytest.raises(DataError) as caught:
        read([Tensor(fails=True)])
    assert str(caught.value) == (
        "images: a Tensor cannot be converted to an array: can't convert cuda:0 device "
        "type tensor to numpy\n"
        "  hint: convert it, such as tensor.detach().cpu().numpy()"
    )


def test_files_and_arrays_mix(tmp_path):
    path = save_image(tmp_path / "a.png", RGB)
    images, total = read([RGB, path, Image.fromarray(RGB)])
    assert total is None and [i.tolist() for i in images] == [RGB.tolist()] * 3
    images, total = read(iter([str(tmp_path), str(path)]))
    assert total is None and len(images) == 2


class Counting:
    label_map = LABEL_MAP

    def __init__(self):
        self.calls = []

    def __call__(self, images):
        self.calls.append(len(images))
        empty = {"boxes": np.zeros((0, 4)), "classes": [], "scores": []}
        return [empty for _ in images]


def test_a_stream_reads_no_further_than_it_is_consumed():
    predictor, taken = Counting(), []

    def endless():
        for n in itertools.count():
            taken.append(n)
            yield RGB

    stream = open_stream(predictor, endless(), batch_size=2)
    assert (taken, predictor.calls) == ([], [])
    first = next(stream)
    assert (first.image_id, first.pixels.tolist()) == (1, RGB.tolist())
    assert (len(taken), predictor.calls) == (2, [2])
    assert [next(stream).image_id for _ in range(2)] == [2, 3]
    assert stream.count == 3 and stream.total is None


def test_a_stream_counts_what_it_skips(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no")
    save_image(tmp_path / "a.png", RGB)
    stream = open_stream(Counting(), tmp_path)
    assert [found.path.name for found in stream] == ["a.png"]
    assert list(stream.skipped) == [str(tmp_path / "broken.jpg")]


def test_files_are_not_kept_in_memory(tmp_path):
    save_image(tmp_path / "a.png", RGB)
    (found,) = collect(open_stream(Counting(), tmp_path))
    assert found.pixels is None and found.image.tolist() == RGB.tolist()
    (found,) = collect(open_stream(Counting(), RGB))
    assert found.pixels.tolist() == RGB.tolist()


def test_an_empty_iterator_gives_no_predictions():
    assert collect(open_stream(Counting(), iter([]))) == []


@pytest.mark.parametrize(
    ("total", "expected"), [(None, 8), (0, 1), (1, 1), (4, 1), (5, 8), (9, 8)]
)
def test_few_images_run_one_by_one(total, expected):
    assert batch_size_for(total, 8) == expected
    assert batch_size_for(total, 1) == 1


def test_a_memory_bank_needs_a_model_that_reads_one():
    with pytest.raises(DataError, match="reads no memory bank"):
        open_stream(Counting(), RGB, context=np.zeros((1, 4)))
