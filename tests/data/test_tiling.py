"""Tiles of images, the rule for cut objects, and tiled datasets."""

import json
import pathlib

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import tiny_data
from odapi.cli.data import app
from odapi.data.image.encode import encode_jpeg, encode_png
from odapi.data.sources import open_source
from odapi.data.sources.tiled import TiledSource
from odapi.data.tiling import TileRule, content_of, cut_tile
from odapi.errors import DataError, OutputError
from odapi.geometry.tiles import Tile, tiles_of


@pytest.mark.parametrize(
    ("length", "side", "overlap", "expected"),
    [
        (640, 640, 0.2, [0]),
        (100, 640, 0.2, [0]),  # Smaller than a tile.
        (641, 640, 0.2, [0, 1]),
        (1280, 640, 0.0, [0, 640]),
        (1280, 640, 0.2, [0, 320, 640]),
        (1152, 640, 0.2, [0, 512]),  # An overlap of exactly 128.
        (1153, 640, 0.2, [0, 256, 513]),
        (3, 1, 0.0, [0, 1, 2]),
        (10, 2, 0.9, [0, 1, 2, 3, 4, 5, 6, 7, 8]),  # A step of one pixel at least.
    ],
)
def test_positions_of_tiles(length, side, overlap, expected):
    tiles = tiles_of((5, length), side, overlap)
    assert sorted({t.left for t in tiles}) == expected
    assert {t.width for t in tiles} == {min(side, length)}


def test_tiles_go_row_by_row():
    tiles = tiles_of((6, 6), 4, 0.0)
    assert tiles == [
        Tile(0, 0, 4, 4), Tile(0, 2, 4, 4), Tile(2, 0, 4, 4), Tile(2, 2, 4, 4)
    ]  # fmt: skip


def test_too_many_tiles_are_refused():
    assert len(tiles_of((100, 100), 1, 0.0)) == 10_000
    with pytest.raises(DataError, match="an image of 101 x 100 pixels has 10100; at"):
        tiles_of((100, 101), 1, 0.0)


@pytest.mark.parametrize(("side", "overlap"), [(0, 0.2), (4, 1.0), (4, -0.1)])
def test_impossible_tiles_are_refused(side, overlap):
    with pytest.raises(ValueError, match="needs a side of 1 or more"):
        tiles_of((6, 6), side, overlap)


# Of an image of 100 x 100 pixels with a tile of 50 x 50 at its corner, in pixels.
CUT = {
    "inside": (10, 10, 30, 30),
    "half": (10, 40, 30, 60),
    "a fifth": (10, 46, 30, 66),
    "outside": (60, 60, 80, 80),
    "touching": (0, 50, 10, 60),
    "a sliver": (0, 49.8, 10, 60),
    "no area": (20, 20, 20, 20),
}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("drop", ("inside", "half", "", "a fifth")),
        ("ignore", ("inside", "half", "a fifth", "")),
        ("keep", ("inside", "half, a fifth", "", "")),
    ],
)
def test_rules_for_cut_objects(rule, expected):
    boxes = np.array(list(CUT.values())) / 100
    rule = TileRule(50, 0.2, 0.3, rule)
    content = content_of(boxes, (100, 100), Tile(0, 0, 50, 50), rule)
    names = list(CUT)
    parts = (content.whole, content.cut, content.ignored, content.dropped)
    assert tuple(", ".join(names[i] for i in part) for part in parts) == expected


def test_no_objects_are_background():
    content = content_of(np.zeros((0, 4)), (9, 9), Tile(0, 0, 5, 5), TileRule())
    assert content.is_background
    assert not content.has_objects


def sample_of(names):
    """An image whose pixels are their coordinates, with masks and keypoints."""
    image = np.zeros((100, 100, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(100)[:, None], np.arange(100)[None]
    boxes = np.array([CUT[name] for name in names], np.float32) / 100
    masks = np.zeros((len(names), 100, 100), np.uint8)
    for mask, name in zip(masks, names, strict=True):
        y_min, x_min, y_max, x_max = (int(v) for v in CUT[name])
        mask[y_min:y_max, x_min:x_max] = np.tri(y_max - y_min, x_max - x_min)
    return {
        "image": image,
        "image_id": "a",
        "boxes": boxes,
        "classes": np.arange(len(names), dtype=np.int32),
        "masks": masks,
        "area": masks.sum((1, 2)).astype(np.float32),
        "keypoints": boxes.reshape(-1, 2, 2),
        "keypoint_visibility": np.full((len(names), 2), 2, np.int32),
    }


def cut(names, tile, rule="drop"):
    sample = sample_of(names)
    rule = TileRule(50, 0.2, 0.3, rule)
    return cut_tile(sample, tile, content_of(sample["boxes"], (100, 100), tile, rule))


def test_pixels_boxes_masks_and_keypoints_of_a_tile():
    part = cut(["inside", "half"], Tile(5, 5, 50, 50))
    assert part["image"].shape == (50, 50, 3)
    assert part["image"][0, 0].tolist() == [5, 5, 0]
    assert part["image"][49, 49].tolist() == [54, 54, 0]
    # The mask of the second is a lower triangle of 20 pixels: 15 columns are within.
    expected = [[5, 5, 25, 25], [5, 35, 25, 50]]
    np.testing.assert_allclose(part["boxes"] * 50, expected, atol=1e-4)
    assert part["masks"].sum((1, 2)).tolist() == [210, 195]
    assert part["area"].tolist() == [210, 195]
    points = part["keypoints"] * 50
    np.testing.assert_allclose(points[0], [[5, 5], [25, 25]], atol=1e-4)
    np.testing.assert_allclose(points[1, 0], [5, 35], atol=1e-4)
    assert np.isnan(points[1, 1]).all()
    assert part["keypoint_visibility"].tolist() == [[2, 2], [2, 0]]


def test_boxes_fit_the_rest_of_the_mask():
    # Of the triangle, 6 pixels below the upper left corner: rows 14.. of column 14.
    part = cut(["half"], Tile(0, 54, 50, 46), "keep")
    box = part["boxes"][0] * [50, 46, 50, 46]
    np.testing.assert_allclose(box, [24, 0, 30, 6], atol=1e-4)
    assert part["area"].tolist() == [21]


def test_an_object_without_a_pixel_of_its_mask_is_dropped():
    # The upper right half of the box is not of the mask.
    part = cut(["half", "inside"], Tile(0, 45, 14, 50), "keep")
    assert part["classes"].tolist() == []


def test_ignored_objects_are_crowds_of_weight_0():
    part = cut(["a fifth", "inside"], Tile(0, 0, 50, 50), "ignore")
    assert part["is_crowd"].tolist() == [True, False]
    assert part["weights"].tolist() == [0, 1]


def test_encoding_keeps_pixels():
    image = tiny_data.pixels(40, 60)
    decoded = cv2.imdecode(np.frombuffer(encode_png(image), np.uint8), 1)[..., ::-1]
    np.testing.assert_array_equal(decoded, image)
    decoded = cv2.imdecode(np.frombuffer(encode_jpeg(image), np.uint8), 1)[..., ::-1]
    assert np.abs(decoded.astype(int) - image).mean() < 1


def tiled(tmp_path, **rule):
    source = open_source(tiny_data.write_coco(tmp_path / "data"))
    rule = {"side": 40, "overlap": 0.0, "empty": 0.0} | rule
    return TiledSource(source, TileRule(**rule))


def test_a_tiled_source(tmp_path):
    # a and c are 40 x 60 pixels, b is 60 x 40: two tiles each. The cat of a has the
    # columns 6 to 36, its dog 30 to 60; the dog of b the rows 15 to 45.
    source = tiled(tmp_path)
    assert source.image_ids == ["1_y0_x0", "1_y0_x20", "2_y0_x0", "2_y20_x0"]
    counts = source.counts
    assert (counts.images, counts.objects, counts.tiles) == (3, 3, 4)
    # Whole: cat, dog (a); cut: dog of a by 10 of 30, cat by 16 of 30, twice dog of b.
    assert (counts.whole, counts.cut, counts.dropped, counts.lost) == (2, 4, 0, 0)
    assert (counts.empty, counts.empty_left_out) == (0, 2)
    first = source.encoded_sample(0)
    assert first["filename"] == "a_y0_x0.png"
    assert first["size"] == (40, 40)
    expected = [[10, 6, 30, 36], [0, 30, 20, 40]]
    np.testing.assert_allclose(first["boxes"] * 40, expected, atol=1e-4)


def test_a_share_of_empty_tiles_is_kept(tmp_path):
    kept = tiled(tmp_path, empty=0.5)
    assert (kept.counts.empty, kept.counts.empty_left_out) == (1, 1)
    assert kept.image_ids[-1].startswith("3_")
    assert tiled(tmp_path / "all", empty=1.0).counts.empty == 2


def test_tiles_with_parts_of_objects_are_not_empty(tmp_path):
    # Only whole objects: the dog of b is in no tile.
    source = tiled(tmp_path, min_visible=1.0, empty=1.0)
    counts = source.counts
    assert source.image_ids[:2] == ["1_y0_x0", "1_y0_x20"]
    assert (counts.whole, counts.dropped, counts.lost) == (2, 2, 1)
    assert (counts.empty, counts.empty_left_out) == (2, 2)


def test_images_that_are_not_larger_stay_as_they_are(tmp_path):
    source = tiled(tmp_path, side=60)
    assert source.image_ids == ["1", "2"]
    assert source.counts.unchanged == 3
    data = (tmp_path / "data" / "images" / "a.jpg").read_bytes()
    assert source.encoded(0) == data


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"side": 0}, "--size: must be 1 or more, got 0"),
        ({"overlap": 1.0}, "--overlap: must be from 0 to below 1, got 1"),
        ({"min_visible": 1.5}, "--min-visible: must be from 0 to 1, got 1.5"),
        ({"empty": -1}, "--empty: must be from 0 to 1, got -1"),
        ({"cut": "clip"}, "--cut: unknown value 'clip'"),
    ],
)
def test_rules_out_of_range_are_refused(wrong, message):
    with pytest.raises(DataError) as error:
        TileRule(**wrong)
    assert message in str(error.value)


def run(*arguments):
    result = CliRunner().invoke(app, ["tile", *(str(a) for a in arguments)])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result


@pytest.mark.parametrize("kind", ["coco", "voc", "yolo", "tfrecord", "kitti"])
def test_tiles_in_every_format(tmp_path, kind):
    spec = tiny_data.write_coco(tmp_path / "data")
    options = ["--size", 40, "--overlap", 0, "--empty", 1, "--to", kind, "--json"]
    done = json.loads(run(spec, "--output", tmp_path / "out", *options).stdout)
    assert (done["tiles"], done["empty"], done["cut"]) == (6, 2, 4)
    source = open_source(done["spec"])
    assert len(source) == 6
    boxes = sum(len(source[i]["boxes"]) for i in range(6))
    assert boxes == 6
    assert (tmp_path / "out" / "label_map.pbtxt").is_file()


def test_objects_that_a_format_loses_do_not_count_as_without_mask(tmp_path):
    spec = tiny_data.write_coco(tmp_path / "data")
    options = ["--size", 400, "--to", "pets", "--json"]
    done = json.loads(run(spec, "--output", tmp_path / "out", *options).stdout)
    lost = {p["kind"]: p["count"] for p in done["losses"]}
    assert (done["without_mask"], lost["object of another class"]) == (0, 1)


def test_command_writes_the_format_of_the_source(tmp_path):
    spec = tiny_data.write_voc(tmp_path / "data")
    out = tmp_path / "out"
    done = run(spec, "--output", out, "--size", 40, "--overlap", 0, "--cut", "ignore")
    assert "tiles written" in done.output
    names = sorted(p.name for p in (out / "JPEGImages").iterdir())
    assert names[:2] == ["a_y0_x0.png", "a_y0_x20.png"]
    with pytest.raises(OutputError):
        run(spec, "--output", out)


def test_pixels_of_written_tiles_are_those_of_the_image(tmp_path):
    spec = tiny_data.write_coco(tmp_path / "data")
    run(spec, "--output", tmp_path / "out", "--size", 40, "--overlap", 0)
    whole = open_source(spec)[0]["image"]
    tile = open_source(f"coco:{tmp_path / 'out'}")[1]
    assert pathlib.Path(tile["filename"]).name == "a_y0_x20.png"
    np.testing.assert_array_equal(tile["image"], whole[:, 20:])
