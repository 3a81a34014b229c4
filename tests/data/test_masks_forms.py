"""Masks as run lengths, polygons and PNG, held against pycocotools."""

import io
import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from pycocotools import mask as oracle

from odapi.data import mask_encoding as masks

# Of pycocotools itself.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")

RNG = np.random.default_rng(0)
SHAPES = [(1, 1), (5, 7), (40, 60), (64, 1), (1, 64)]


def random_mask(shape):
    return (RNG.random(shape) > 0.6).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_run_lengths_are_those_of_pycocotools(shape):
    for mask in (
        random_mask(shape),
        np.zeros(shape, np.uint8),
        np.ones(shape, np.uint8),
    ):
        ours = masks.encode_rle(mask)
        theirs = oracle.encode(np.asfortranarray(mask))
        assert ours["counts"] == theirs["counts"].decode()
        assert ours["size"] == list(shape)
        assert json.loads(json.dumps(ours)) == ours
        assert_array_equal(masks.decode_rle(ours), mask)
        as_bytes = ours | {"counts": ours["counts"].encode()}
        assert_array_equal(masks.decode_rle(as_bytes), mask)


def test_run_lengths_as_a_list():
    # By hand: columns first; 1 zero, 2 ones, 3 zeros.
    rle = {"size": [2, 3], "counts": [1, 2, 3]}
    assert masks.decode_rle(rle).tolist() == [[0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    "polygons",
    [
        [[6, 10, 36, 10, 36, 30, 6, 30]],
        [[0.5, 0.5, 30.2, 5.7, 20.1, 39.9]],
        [[-10, -10, 70, -10, 70, 20]],
        [[1, 1, 5, 1, 5, 5], [20.5, 20.5, 50.25, 22, 30, 38]],
    ],
)
def test_polygons_are_filled_as_pycocotools_fills_them(polygons):
    expected = oracle.decode(oracle.merge(oracle.frPyObjects(polygons, 40, 60)))
    assert_array_equal(masks.decode_segmentation(polygons, (40, 60)), expected)


@pytest.mark.parametrize(
    "segmentation",
    [
        [],
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5, 6, 7]],
        [[1, 2, float("nan"), 4, 5, 6]],
        {"size": [4, 4], "counts": [1, 2]},
        {"size": [4, 4], "counts": [20, -4]},
        {"size": [4, 4], "counts": "!!"},
    ],
)
def test_malformed_segmentation_is_a_value_error(segmentation):
    with pytest.raises(ValueError):
        masks.decode_segmentation(segmentation, (4, 4))


def test_png_keeps_the_mask():
    mask = random_mask((40, 60))
    data = masks.encode_png_mask(mask)
    assert_array_equal(masks.decode_png_mask(data), mask)
    # As the original's tools write them: gray, 0 and 1.
    assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), mask)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "LA"])
def test_png_of_any_kind_is_1_where_it_is_not_black(mode):
    mask = random_mask((20, 30))
    stream = io.BytesIO()
    Image.fromarray(mask * 255).convert(mode).save(stream, "PNG")
    assert_array_equal(masks.decode_png_mask(stream.getvalue()), mask)


@pytest.mark.parametrize("data", [b"", b"no PNG"])
def test_what_is_no_png_is_a_value_error(data):
    with pytest.raises(ValueError, match="no PNG"):
        masks.decode_png_mask(data)


def test_resized_mask_has_no_new_values():
    mask = random_mask((20, 30))
    assert masks.resize_mask(mask, (20, 30)) is mask
    twice = masks.resize_mask(mask, (40, 60))
    assert_array_equal(twice, mask.repeat(2, 0).repeat(2, 1))


def test_masks_of_real_annotations_are_those_of_pycocotools(shared):
    file = shared / "data/coco_mini/annotations/instances_val2017.json"
    content = json.loads(file.read_text())
    sizes = {i["id"]: (i["height"], i["width"]) for i in content["images"]}
    for annotation in content["annotations"]:
        segmentation, size = annotation["segmentation"], sizes[annotation["image_id"]]
        rle = oracle.frPyObjects(segmentation, *size)
        expected = oracle.decode(oracle.merge(rle) if isinstance(rle, list) else rle)
        assert_array_equal(masks.decode_segmentation(segmentation, size), expected)
