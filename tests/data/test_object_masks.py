"""Masks that do not fit their image or box, and boxes that are taken from masks."""

import io
import json

import numpy as np
import pytest
from PIL import Image

import tiny_data
from odapi.data.convert import Target, convert
from odapi.data.inspect import inspect_source
from odapi.data.mask_encoding import as_polygons, decode_png_mask, encode_png_mask
from odapi.data.sources.open import open_source
from odapi.data.sources.sequence import SequenceSource

HEIGHT, WIDTH = 40, 60
BOX = [10, 10, 20, 15]  # x, y, width, height in pixels
OTHER_BOX = [10, 10, 20, 16]  # Of another object, with the same mask.
CORNERS = [[10, 10], [30, 10], [30, 25], [10, 25]]
FLAT = [10, 10, 30, 10, 30, 25, 10, 25]
MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[10:25, 10:30] = 1
NAMES = ["a_left", "a_right", "tip"]
POINTS = [10, 10, 2, 30, 25, 2, 20, 15, 1]


def rle(mask):
    """Returns a run length as a list of counts."""
    values = mask.T.reshape(-1)
    ends = np.flatnonzero(np.diff(values)) + 1
    counts = np.diff([0, *ends, len(values)]).tolist()
    counts = [0, *counts] if values[0] else counts
    return {"size": list(mask.shape), "counts": counts}


def write_coco(folder, *annotations):
    folder.mkdir(exist_ok=True)
    (folder / "a.png").write_bytes(tiny_data.encoded(".png", (HEIGHT, WIDTH)))
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
        "categories": [{"id": 1, "name": "thing", "keypoints": NAMES}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1} | annotation
            for n, annotation in enumerate(annotations, 1)
        ],
    }
    (folder / "a.json").write_text(json.dumps(content))
    return f"coco:{folder / 'a.json'}"


def write_tfrecord(folder, *pngs, **changes):
    """Writes a record of an image of 60 x 40 pixels with one object."""
    changes = {f"image__object__{k}": v for k, v in changes.items()}
    made = tiny_data.features_of("c", **changes)
    y, x = BOX[1] / HEIGHT, BOX[0] / WIDTH
    sides = [y, x, y + BOX[3] / HEIGHT, x + BOX[2] / WIDTH]
    for name, side in zip(("ymin", "xmin", "ymax", "xmax"), sides, strict=True):
        made.setdefault(f"image/object/bbox/{name}", [])
        made[f"image/object/bbox/{name}"] = [side]
    made |= {
        "image/object/class/text": ["thing"],
        "image/object/class/label": [1],
        "image/object/mask": list(pngs),
    }
    tiny_data.write_records(folder / "x.record", [tiny_data.example(made)])
    return f"tfrecord:{folder / 'x.record'}"


def counted(source):
    return {p.kind: (p.outcome, p.count) for p in source.problems}


SEGMENTATIONS = [
    ([FLAT], {}),
    (rle(MASK), {}),
    ([[10, 10, 20, 10]], {"malformed mask": ("dropped", 1)}),
    ([[10, 10, 30, 10, 30]], {"malformed mask": ("dropped", 1)}),
    ([[10, 10, 30, None, 30, 25]], {"malformed mask": ("dropped", 1)}),
    ([[10, 10, 30, "east", 30, 25]], {"malformed mask": ("dropped", 1)}),
    (
        {"size": [HEIGHT, WIDTH], "counts": [100]},
        {"malformed mask": ("dropped", 1)},
    ),
    (
        {"size": [HEIGHT, WIDTH], "counts": "%%%garbage"},
        {"malformed mask": ("dropped", 1)},
    ),
    ({"counts": rle(MASK)["counts"]}, {"malformed mask": ("dropped", 1)}),
    ({"size": [HEIGHT, WIDTH]}, {"malformed mask": ("dropped", 1)}),
    ({"size": HEIGHT, "counts": [1]}, {"malformed mask": ("dropped", 1)}),
    (
        {"size": [10**6, 10**6], "counts": [10**12]},
        {"malformed mask": ("dropped", 1)},
    ),
    ("a polygon", {"malformed mask": ("dropped", 1)}),
    (7, {"malformed mask": ("dropped", 1)}),
    ([{"x": 1}, {"x": 2}, {"x": 3}], {"malformed mask": ("dropped", 1)}),
    ([[{"x": 1}, {"x": 2}, {"x": 3}]], {"malformed mask": ("dropped", 1)}),
    ([[FLAT, {"y": 1}]], {"malformed mask": ("dropped", 1)}),
    ([rle(MASK)], {"malformed mask": ("dropped", 1)}),
    ([[10, 10, 10, 10, 10, 10]], {"empty mask": ("dropped", 1)}),
    (
        {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]},
        {"empty mask": ("dropped", 1)},
    ),
    # Height and width exchanged, and the mask of the box alone.
    (
        rle(MASK) | {"size": [WIDTH, HEIGHT]},
        {"mask of another shape": ("dropped", 1)},
    ),
    (rle(np.ones((15, 20), np.uint8)), {"mask of another shape": ("dropped", 1)}),
    (rle(MASK[:-4]), {"mask of another shape": ("dropped", 1)}),
    # The same shape at half and twice the size.
    (rle(MASK[1::2, ::2]), {}),
    (rle(MASK.repeat(2, 0).repeat(2, 1)), {}),
    # The box alone, with the shape of the image.
    (rle(np.ones((20, 30), np.uint8)), {"mask outside its box": ("dropped", 1)}),
    ([[40, 30, 59, 30, 59, 39]], {"mask outside its box": ("kept", 1)}),
    ([[10, 10, 36, 10, 36, 25, 10, 25]], {}),  # Somewhat wider than its box.
]


@pytest.mark.parametrize(("segmentation", "expected"), SEGMENTATIONS)
@pytest.mark.parametrize("verb", ["inspect", "coco", "tfrecord"])
def test_inspect_and_convert_count_the_masks_of_coco(
    segmentation, expected, verb, tmp_path
):
    annotation = {"bbox": BOX, "segmentation": segmentation}
    sound = {"bbox": OTHER_BOX, "segmentation": [FLAT]}
    source = open_source(write_coco(tmp_path / "data", annotation, sound))
    if verb == "inspect":
        assert inspect_source(source).objects == 2
    else:
        convert(source, Target(verb, tmp_path / "out" / "x", "copy", 1))
    assert counted(source) == expected
    dropped = any(outcome == "dropped" for outcome, _ in expected.values())
    masks = source[0]["masks"]
    assert masks[0].any() != dropped
    np.testing.assert_array_equal(masks[1], MASK)


def test_inspect_without_decoding_reads_no_masks(tmp_path):
    spec = write_coco(tmp_path, {"bbox": BOX, "segmentation": [FLAT[:4]]})
    source = open_source(spec)
    inspect_source(source, decode=False)
    assert not source.problems


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (MASK, {}),
        (np.ones((15, 20), np.uint8), {"mask of another shape": ("dropped", 1)}),
        (MASK.T, {"mask of another shape": ("dropped", 1)}),
        (np.zeros_like(MASK), {"empty mask": ("dropped", 1)}),
        (1 - MASK, {"mask outside its box": ("kept", 1)}),
    ],
)
def test_inspect_counts_the_masks_of_records(mask, expected, tmp_path):
    source = open_source(write_tfrecord(tmp_path, encode_png_mask(mask)))
    inspect_source(source)
    assert counted(source) == expected


def test_a_png_that_is_no_png_is_counted(tmp_path):
    source = open_source(write_tfrecord(tmp_path, b"no PNG"))
    inspect_source(source)
    assert counted(source) == {"malformed mask": ("dropped", 1)}


def test_objects_without_a_mask_stay_without_one_in_our_records(tmp_path):
    annotations = {"bbox": BOX, "segmentation": [FLAT]}, {"bbox": OTHER_BOX, "id": 7}
    source = open_source(write_coco(tmp_path / "data", *annotations))
    target = Target("tfrecord", tmp_path / "out" / "x.record", "copy", 1)
    convert(source, target)
    again = open_source(f"tfrecord:{tmp_path / 'out' / 'x.record'}")
    inspect_source(again)
    assert not again.problems
    assert again[0]["mask_weights"].tolist() == [1, 0]


def test_masks_of_python_samples():
    sample = {
        "image": tiny_data.pixels(HEIGHT, WIDTH),
        "boxes": [[0.25, 1 / 6, 0.625, 0.5]] * 2,
        "classes": [0, 0],
        "masks": np.stack([MASK, 1 - MASK]),
    }
    source = SequenceSource([sample], ["thing"])
    assert [mask.sum() for mask in source[0]["masks"]] == [300, 2100]
    assert counted(source) == {"mask outside its box": ("kept", 1)}


@pytest.mark.parametrize(
    "segmentation",
    [
        [FLAT],
        FLAT,
        CORNERS,
        [CORNERS],
        [str(v) for v in FLAT],
        [CORNERS, FLAT],
        [{"x": x, "y": y} for x, y in CORNERS],
        [[{"x": x, "y": y} for x, y in CORNERS]],
    ],
)
def test_forms_of_polygons(segmentation, tmp_path):
    annotation = {"bbox": BOX, "segmentation": segmentation}
    source = open_source(write_coco(tmp_path, annotation))
    np.testing.assert_array_equal(source[0]["masks"][0], MASK)
    assert not source.problems


def test_several_polygons_stay_several():
    triangles = [[1, 1, 5, 1, 5, 5], [20, 20, 50, 22, 30, 38]]
    assert [p.tolist() for p in as_polygons(triangles)] == triangles


# Annotations without a usable box: box in pixels (y, x, y, x), problems.
BOXLESS = [
    ({"segmentation": [FLAT]}, [10, 10, 25, 30], {"box from mask": ("fixed", 1)}),
    (
        {"segmentation": rle(MASK), "bbox": None},
        *([10, 10, 25, 30], {"box from mask": ("fixed", 1)}),
    ),
    (
        {"segmentation": [FLAT], "bbox": []},
        *([10, 10, 25, 30], {"box from mask": ("fixed", 1)}),
    ),
    (
        {"segmentation": [FLAT], "bbox": [0, 0, 0, 0], "keypoints": POINTS},
        *([10, 10, 25, 30], {"box from mask": ("fixed", 1)}),
    ),
    (
        {"segmentation": [FLAT], "bbox": [1, 2, None, 4]},
        *([10, 10, 25, 30], {"box from mask": ("fixed", 1)}),
    ),
    ({"keypoints": POINTS}, [10, 10, 25, 30], {"box from keypoints": ("fixed", 1)}),
    (
        {"segmentation": [FLAT[:4]], "keypoints": POINTS},
        [10, 10, 25, 30],
        {"malformed mask": ("dropped", 1), "box from keypoints": ("fixed", 1)},
    ),
    # One labeled keypoint has no area; an unusable mask gives no box.
    (
        {"keypoints": [10, 10, 2, 0, 0, 0, 0, 0, 0]},
        *(None, {"NaN box": ("dropped", 1)}),
    ),
    (
        {"segmentation": [FLAT[:4]]},
        *(None, {"malformed mask": ("dropped", 1), "NaN box": ("dropped", 1)}),
    ),
    ({}, None, {"image label": ("dropped", 1)}),
    ({"segmentation": [], "keypoints": []}, None, {"image label": ("dropped", 1)}),
    ({"bbox": [1, 2, 3]}, None, {"malformed box": ("dropped", 1)}),
    ({"bbox": [5, 5, 0, 0]}, None, {"box without area": ("dropped", 1)}),
]


@pytest.mark.parametrize("load_masks", [True, False])
@pytest.mark.parametrize(("annotation", "box", "expected"), BOXLESS)
def test_objects_without_a_box_get_one(annotation, box, expected, load_masks, tmp_path):
    spec = write_coco(tmp_path, annotation, {"bbox": BOX, "segmentation": [FLAT]})
    source = open_source(spec, load_masks=load_masks)
    sample = source[0]
    found = sample["boxes"] * np.tile([HEIGHT, WIDTH], 2)
    assert len(found) == 1 + (box is not None)
    if box is not None:
        np.testing.assert_allclose(found[0], box, rtol=1e-5)
        np.testing.assert_allclose(sample["area"], [300, 300], rtol=1e-5)
    assert ("masks" in sample) == load_masks
    assert counted(source) == expected


def test_records_without_boxes_get_them_from_masks(tmp_path):
    spec = write_tfrecord(tmp_path, encode_png_mask(MASK))
    file = tmp_path / "x.record"
    made = tiny_data.features_of("c") | {
        "image/object/class/text": ["thing"],
        "image/object/class/label": [1],
        "image/object/mask": [encode_png_mask(MASK)],
    }
    tiny_data.write_records(file, [tiny_data.example(made)])
    source = open_source(spec, load_masks=False)
    found = source[0]["boxes"] * np.tile([HEIGHT, WIDTH], 2)
    np.testing.assert_allclose(found, [[10, 10, 25, 30]], rtol=1e-5)
    assert counted(source) == {"box from mask": ("fixed", 1)}


@pytest.mark.parametrize(
    ("color", "alpha", "expected"),
    [
        (255 * MASK, None, MASK),
        (255 * MASK, np.full_like(MASK, 255), MASK),
        (np.zeros_like(MASK), 255 * MASK, MASK),  # Only alpha shows the object.
        (np.full_like(MASK, 255), 255 * MASK, MASK),
        (np.zeros_like(MASK), np.full_like(MASK, 255), np.zeros_like(MASK)),
        (255 * MASK, 255 * (1 - MASK), MASK),
    ],
)
def test_alpha_of_a_png(color, alpha, expected):
    channels = [color] * 3 + ([] if alpha is None else [alpha])
    stream = io.BytesIO()
    Image.fromarray(np.stack(channels, -1)).save(stream, "PNG")
    np.testing.assert_array_equal(decode_png_mask(stream.getvalue()), expected)


def test_gray_and_alpha():
    stream = io.BytesIO()
    gray = Image.fromarray(np.stack([0 * MASK, 255 * MASK], -1), "LA")
    gray.save(stream, "PNG")
    np.testing.assert_array_equal(decode_png_mask(stream.getvalue()), MASK)
