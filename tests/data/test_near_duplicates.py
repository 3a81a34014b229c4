"""Near-duplicate images, label outliers and objects that vanish at training size."""

import cv2
import numpy as np
import pytest

import tiny_data
from odapi.config.load import load_config
from odapi.config.strides import finest_stride
from odapi.data.image.resize import FixedShape
from odapi.data.inspect import compare_images, inspect_source
from odapi.data.inspect_tables import tables
from odapi.data.label_outliers import BoxStatistics
from odapi.data.near_duplicates import find_near_duplicates, hashes, thumbnail
from odapi.data.sources import open_source
from odapi.data.tiny_objects import Scale


def scene(seed, size=(240, 320)):
    """Returns an image with structure at several scales."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(small, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)


def jpeg(image):
    return cv2.imdecode(cv2.imencode(".jpg", image, [1, 50])[1], 1)


CHANGES = {
    "encoded again": jpeg,
    "resized": lambda x: cv2.resize(x, (200, 150), interpolation=cv2.INTER_AREA),
    "brighter": lambda x: cv2.convertScaleAbs(x, alpha=0.8, beta=30),
    "cropped by a pixel": lambda x: x[1:-1, 1:-1],
    "gray": lambda x: cv2.cvtColor(
        cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB
    ),
}


def found(train, evaluation):
    return find_near_duplicates(
        ([f"t{i}" for i in range(len(train))], np.stack([thumbnail(x) for x in train])),
        (
            [f"e{i}" for i in range(len(evaluation))],
            np.stack([thumbnail(x) for x in evaluation]),
        ),
    )


@pytest.mark.parametrize("change", CHANGES)
def test_changed_images_are_found(change):
    train = [scene(i) for i in range(20)]
    pairs = found(train, [scene(100), CHANGES[change](train[7])])
    (pair,) = pairs
    assert (pair.image_id, pair.other_id, pair.mirrored) == ("e1", "t7", False)
    assert pair.distance <= 4
    assert pair.correlation > 0.98


def test_mirrored_images_are_found():
    pairs = found([scene(0), scene(1)], [scene(1)[:, ::-1]])
    assert [(p.other_id, p.mirrored) for p in pairs] == [("t1", True)]


def test_other_images_are_not_found():
    images = [scene(i) for i in range(120)]
    assert found(images[:60], images[60:]) == []


def test_flat_images_and_no_images_are_not_found():
    flat = np.full((50, 60, 3), 120, np.uint8)
    assert found([flat], [flat]) == []
    nothing = ([], np.zeros((0, 16, 16), np.uint8))
    one = (["a"], thumbnail(scene(0))[None])
    assert find_near_duplicates(nothing, one) == []
    assert find_near_duplicates(one, nothing) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 500, 3), (16, 16, 1), (40, 60, 3)])
def test_thumbnails_of_any_shape(shape):
    small = thumbnail(np.full(shape, 7, np.uint8))
    assert (small.shape, small.dtype, small.max()) == ((16, 16), np.uint8, 7)


def test_hashes_of_two_gradients():
    # The left half is dark or bright: the lowest horizontal frequency changes its sign.
    ramp = np.tile(np.linspace(0, 255, 16).astype(np.uint8), (16, 1))
    first, second = hashes(np.stack([ramp, ramp[:, ::-1]]))
    assert (int(first) & 1, int(second) & 1) == (0, 1)
    assert int(first) < 2**63


def test_leakage_is_reported(tmp_path):
    spec = tiny_data.write_coco(tmp_path / "train")
    other = tiny_data.write_coco(tmp_path / "val")
    image = cv2.imread(str(tmp_path / "train" / "images" / "a.jpg"))
    for name in "abc":  # Of a: encoded again; the others: of another seed.
        changed = image if name == "a" else tiny_data.pixels(40, 60, ord(name))
        cv2.imwrite(str(tmp_path / "val" / "images" / f"{name}.jpg"), changed, [1, 60])
    train, evaluation = open_source(spec), open_source(other)
    reports = [inspect_source(source) for source in (train, evaluation)]
    compare_images((train, reports[0]), (evaluation, reports[1]))
    pairs = reports[1].near_duplicates
    assert [(p.index, p.other_index) for p in pairs] == [(0, 0)]
    problem = [f for f in reports[1].findings if f.check == "near_duplicates"]
    assert str(problem[0]).startswith("1 of 3 evaluation images is nearly a training")
    assert reports[1].as_dict()["near_duplicates"][0]["image_id"] == pairs[0].image_id
    titles = [table.title for table in tables(reports[1])]
    assert "near-duplicates: 1 evaluation image" in titles


def test_equal_bytes_are_not_near_duplicates(tmp_path):
    specs = [tiny_data.write_coco(tmp_path / name) for name in ("train", "val")]
    sources = [open_source(spec) for spec in specs]
    reports = [inspect_source(source) for source in sources]
    compare_images((sources[0], reports[0]), (sources[1], reports[1]))
    assert reports[1].near_duplicates == []
    assert [f.check for f in reports[1].findings] == ["shared_images"]


def statistics(boxes, **more):
    rows = BoxStatistics()
    boxes = np.array(boxes, np.float32).reshape(-1, 4) / 100
    sample = {"image_id": "a", "size": (100, 100), "boxes": boxes, **more}
    rows.add(3, sample, ["cat"] * len(boxes))
    return rows.outliers()


SQUARES = [(0, 0, 9 + i % 3, 9 + i % 3) for i in range(30)]  # 9, 10 or 11 pixels.


@pytest.mark.parametrize(
    ("box", "reason", "factor"),
    [
        ((0, 0, 60, 60), "larger", 6.0),
        ((0, 0, 1, 1), "smaller", 0.1),
        ((0, 0, 5, 20), "wider", 4.0),
        ((0, 0, 20, 5), "higher", 0.25),
    ],
)
def test_an_outlier_is_found(box, reason, factor):
    outliers, total = statistics([*SQUARES, box])
    assert total == 1
    (row,) = outliers
    assert (row.index, row.object, row.label, row.reason) == (3, 30, "cat", reason)
    assert row.factor == pytest.approx(factor, rel=0.01)
    y_min, x_min, y_max, x_max = box
    assert row.box_px == (x_min, y_min, x_max, y_max)


def test_the_score_is_in_robust_deviations():
    # Median 10; the median deviation of 9, 10 and 11 is log(11 / 10) = 0.0953.
    (row,), _ = statistics([*SQUARES, (0, 0, 60, 60)])
    assert row.score == pytest.approx(np.log(6) / (1.4826 * np.log(1.1)), abs=0.06)


@pytest.mark.parametrize(
    ("boxes", "more"),
    [
        ([], {}),
        (SQUARES, {}),
        ([*SQUARES[:18], (0, 0, 60, 60)], {}),  # Too few objects of the class.
        ([*SQUARES, (5, 5, 5, 5)], {}),  # No area.
        ([*SQUARES, (0, 0, 60, 60)], {"is_crowd": np.arange(31) == 30}),
        ([(0, 0, 10, 10)] * 40, {}),
    ],
)
def test_no_outliers(boxes, more):
    assert statistics(boxes, **more) == ([], 0)


def test_objects_below_a_pixel_and_a_stride(tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path))
    # The cat has 20 x 30 of 40 x 60 pixels: half of each side.
    report = inspect_source(source, scale=Scale(FixedShape(16, 16), 16))
    assert (report.tiny.objects, report.tiny.below_pixel) == (3, 0)
    assert report.tiny.below_stride == 3
    first = report.tiny.smallest[0]
    assert (first.width, first.height) == (8, 8)
    assert [f.check for f in report.findings] == ["tiny_objects"]
    report = inspect_source(source, scale=Scale(FixedShape(1, 64), 8))
    assert (report.tiny.below_pixel, report.tiny.below_stride) == (3, 0)
    assert "3 of 3 objects are below one pixel" in str(report.findings[0])
    report = inspect_source(source, scale=Scale(FixedShape(64, 64), 8))
    assert (report.tiny.below_pixel, report.tiny.below_stride) == (0, 0)
    assert report.findings == []


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("center_net {}", 4),
        ('ssd { feature_extractor { type: "ssd_mobilenet_v2_keras" } }', 16),
        (
            'ssd { feature_extractor { type: "ssd_resnet50_v1_fpn_keras" '
            "fpn { min_level: 3 max_level: 7 } } }",
            8,
        ),
        (
            'faster_rcnn { feature_extractor { type: "faster_rcnn_resnet50_keras" } }',
            16,
        ),
        (
            'faster_rcnn { feature_extractor { type: "faster_rcnn_resnet50_fpn_keras" '
            "fpn { min_level: 2 max_level: 6 } } }",
            4,
        ),
    ],
)
def test_finest_stride(model, expected):
    assert finest_stride(load_config(f"model {{ {model} }}")) == expected
