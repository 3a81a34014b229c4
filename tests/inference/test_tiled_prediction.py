"""Prediction on tiles: merging of objects that tiles share or cut."""

import json

import cv2
import numpy as np
import pytest

import odapi
import tiny_data
from odapi.api.evaluate_model import evaluate_held
from odapi.cli.tile_options import OVERLAP, tiling
from odapi.data.sources import open_source
from odapi.errors import ConfigError, DataError
from odapi.evaluation.evaluation_loop import evaluate_predictor_loop
from odapi.geometry.masks import paste_masks, paste_window
from odapi.inference.predict import open_stream
from odapi.inference.tile_merge import gather, merge
from odapi.inference.tiling import TiledPredictor, Tiling
from odapi.labels import label_map_of
from odapi.metrics.coco.box_metrics import CocoBoxMetrics

LABELS = label_map_of(["cat", "dog"])


class Painted:
    """Detects rectangles by their color: the class is the red value minus 1.

    Like a detector, it sees of an object only what lies in the image that it is given.
    The green value names the object; the blue value is its score in percent. Boxes are
    at most `max_side` pixels long: larger objects are not found.
    """

    label_map = LABELS
    keypoint_edges = ()

    def __init__(self, max_side=10_000, masks=False):
        self.max_side = max_side
        self.masks = masks
        self.calls = []

    def __call__(self, images):
        self.calls.append([image.shape[:2] for image in images])
        return [self._found(image) for image in images]

    def _found(self, image):
        rows, masks = [], []
        height, width = image.shape[:2]
        for name in np.unique(image[..., 1][image[..., 0] > 0]):
            here = (image[..., 1] == name) & (image[..., 0] > 0)
            y, x = np.flatnonzero(here.any(1)), np.flatnonzero(here.any(0))
            box = np.array([y[0], x[0], y[-1] + 1, x[-1] + 1], float)
            if max(box[2:] - box[:2]) > self.max_side:
                continue
            pixel = image[y[0], x[0]] if here[y[0], x[0]] else image[here][0]
            score = pixel[2] / 100
            rows.append([*(box / [height, width, height, width]), pixel[0] - 1, score])
            masks.append(np.ones((5, 5), np.float32))
        found = np.array(rows, float).reshape(-1, 6)
        found = found[np.argsort(-found[:, 5], kind="stable")]
        result = {
            "boxes": found[:, :4].astype("f4"),
            "classes": found[:, 4].astype(int),
            "scores": found[:, 5].astype("f4"),
        }
        if self.masks:
            result["box_masks"] = np.array(masks, np.float32).reshape(-1, 5, 5)
        return result


def painted(size, *objects):
    """Returns an image with rectangles (box in pixels, class, score in percent)."""
    image = np.zeros((*size, 3), np.uint8)
    for number, ((y_min, x_min, y_max, x_max), index, score) in enumerate(objects):
        image[y_min:y_max, x_min:x_max] = (index + 1, 10 + number, score)
    return image


def predict(image, tile=100, predictor=None, **options):
    run = TiledPredictor(predictor or Painted(), Tiling(tile, **options), 4)
    (found,) = run([image])
    found["px"] = found["boxes"] * np.tile(image.shape[:2], 2)
    return found


SIZE = (180, 260)  # Two rows of three tiles of 100 pixels: 0, 80 and 0, 80, 160.


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "box",
    [
        (10, 10, 30, 30),  # In one tile.
        (85, 85, 98, 99),  # Whole in four tiles.
        (70, 70, 95, 95),  # Whole in the first, cut by the others.
        (0, 90, 20, 120),  # Cut by the first, whole in the second.
        (10, 60, 30, 200),  # In no tile as a whole: parts of three tiles.
        (20, 20, 170, 240),  # In no tile as a whole: parts of six tiles.
        (0, 0, 180, 260),  # The image.
        (99, 99, 101, 101),
        (179, 259, 180, 260),  # One pixel.
    ],
)
def test_an_object_is_reported_once_and_whole(box, whole):
    found = predict(painted(SIZE, (box, 1, 80)), whole=whole)
    assert found["classes"].tolist() == [1]
    np.testing.assert_allclose(found["px"], [box], atol=1e-3)
    assert found["scores"].tolist() == pytest.approx([0.8])


def test_neighbors_stay_apart():
    boxes = [(10, 60, 30, 85), (10, 85, 30, 99), (10, 99, 30, 130), (32, 60, 50, 130)]
    image = painted(SIZE, *((box, 0, 90 - n) for n, box in enumerate(boxes)))
    found = predict(image, whole=False)
    np.testing.assert_allclose(found["px"], boxes, atol=1e-3)


def test_classes_are_merged_separately():
    tile = {"boxes": np.array([[0, 0, 1, 1]]), "scores": np.array([0.5])}
    tiles = Tiling(100, whole=False).tiles((100, 150))
    rows = [tile | {"classes": np.array([i])} for i in range(2)]
    assert merge(gather(rows, tiles, (100, 150)))["classes"].tolist() == [0, 1]


def test_large_objects_are_found_in_the_whole_image():
    image = painted(SIZE, ((0, 0, 180, 260), 0, 90), ((10, 10, 20, 20), 1, 80))

    class Large(Painted):
        def _found(self, image):
            found = super()._found(image)
            keep = found["classes"] == (1 if image.shape[0] == 100 else 0)
            return {name: value[keep] for name, value in found.items()}

    assert predict(image, predictor=Large())["classes"].tolist() == [0, 1]
    assert predict(image, predictor=Large(), whole=False)["classes"].tolist() == [1]


def test_images_that_are_not_larger_are_unchanged():
    image = painted((100, 90), ((10, 10, 30, 30), 0, 70))
    predictor = Painted()
    expected = predictor([image])[0]
    found = TiledPredictor(predictor, Tiling(100))([image])[0]
    assert predictor.calls[1] == [(100, 90)]
    assert all((found[name] == expected[name]).all() for name in expected)


def test_tiles_are_predicted_in_batches_of_one_shape():
    predictor = Painted()
    images = [painted(SIZE), painted((100, 180))]
    TiledPredictor(predictor, Tiling(100, whole=False), batch_size=4)(images)
    assert [len(call) for call in predictor.calls] == [4, 4]
    assert {shape for call in predictor.calls for shape in call} == {(100, 100)}


def test_an_image_without_objects():
    found = predict(painted(SIZE))
    assert (found["boxes"].shape, found["scores"].shape) == ((0, 4), (0,))


def test_masks_of_parts_are_united():
    box = (10, 60, 30, 200)
    found = predict(
        painted(SIZE, (box, 0, 80)), predictor=Painted(masks=True), whole=False
    )
    assert found["box_masks"].shape == (1, 5, 5)
    assert (found["box_masks"] > 0.99).all()
    (window,) = paste_masks(found["box_masks"], found["boxes"], SIZE)
    mask = paste_window(window, SIZE)
    assert mask[12:28, 64:196].all()
    assert mask.sum() == pytest.approx(20 * 140, rel=0.06)


def detection(box, size=(100, 100), **more):
    boxes = np.array([box], float) / np.tile(size, 2)
    one = {"boxes": boxes, "classes": np.array([0]), "scores": np.array([0.5])}
    return one | {k: np.array([v]) for k, v in more.items()}


def test_keypoints_are_placed_and_those_of_parts_taken_by_score():
    tiles = Tiling(100, 0.2, whole=False).tiles((100, 180))
    # A person from column 20 to 160: the left tile has its left half.
    points, scores = [[0.5, 0.3], [0.5, 1.0]], [0.9, 0.1]
    left = detection((10, 20, 90, 100), keypoints=points, keypoint_scores=scores)
    points, scores = [[0.5, 0.0], [0.5, 0.7]], [0.2, 0.8]
    right = detection((10, 0, 90, 80), keypoints=points, keypoint_scores=scores)
    found = merge(gather([left, right], tiles, (100, 180)))
    boxes = found["boxes"] * [100, 180, 100, 180]
    np.testing.assert_allclose(boxes, [[10, 20, 90, 160]])
    points = found["keypoints"][0] * [100, 180]
    np.testing.assert_allclose(points, [[50, 30], [50, 80 + 70]], rtol=1e-6)
    np.testing.assert_allclose(found["keypoint_scores"], [[0.9, 0.8]])


def test_a_cut_detection_of_a_higher_score_does_not_replace_the_whole_object():
    tiles = Tiling(100, 0.2, whole=False).tiles((100, 180))
    cut = detection((10, 85, 30, 96)) | {"scores": np.array([0.9])}  # Ends early.
    whole = detection((10, 5, 30, 40))
    found = merge(gather([cut, whole], tiles, (100, 180)))
    np.testing.assert_allclose(found["boxes"] * 100, [[10, 85 / 1.8, 30, 120 / 1.8]])
    assert found["scores"].tolist() == [0.9]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "tile: must be 1 or more, got 0"),
        ({"size": 1.5}, "tile: must be a whole number"),
        ({"size": 9, "overlap": 1}, "tile_overlap: must be from 0 to below 1, got 1"),
    ],
)
def test_tilings_out_of_range_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        Tiling(**options)


def test_all_outputs_of_tiled_prediction(tmp_path):
    objects = [((10, 60, 30, 200), 0, 90), ((100, 85, 120, 98), 1, 80)]
    image = painted(SIZE, *objects)
    cv2.imwrite(str(tmp_path / "street.png"), image[..., ::-1])
    found = odapi.predict(
        Painted(), tmp_path / "street.png", tile=odapi.Tiling(100, whole=False),
        output=tmp_path / "out", save_csv=tmp_path / "found.csv",
        save_crop=tmp_path / "crops", save_coco=tmp_path / "coco",
    )  # fmt: skip
    expected = [[60, 10, 200, 30], [85, 100, 98, 120]]
    np.testing.assert_allclose(found[0].xyxy, expected, atol=1e-3)
    assert found[0].labels == ("cat", "dog")
    rows = (tmp_path / "found.csv").read_text().splitlines()
    assert len(rows) == 3
    results = json.loads((tmp_path / "out" / "detections.json").read_text())
    assert results[0]["bbox"] == pytest.approx([60, 10, 140, 20], abs=0.01)
    (crop,) = (tmp_path / "crops" / "cat").iterdir()
    crop = cv2.imread(str(crop))
    assert crop.shape == (20, 140, 3)
    assert (tmp_path / "out" / "images" / "street.png").is_file()
    assert len(open_source(f"coco:{tmp_path / 'coco'}")[0]["boxes"]) == 2


def test_streams_and_batches_of_images():
    images = [painted(SIZE, ((10, 60, 30, 200), 0, 90)) for _ in range(6)]
    stream = open_stream(Painted(), images, tile=100, batch_size=8)
    assert [len(found) for found in stream] == [1] * 6


def test_evaluation_on_tiles(tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path))
    tiled = TiledPredictor(Painted(), Tiling(20))
    result = evaluate_predictor_loop(tiled, source, CocoBoxMetrics(source.label_map))
    assert result.num_images == 3


def test_losses_of_tiles_are_refused():
    with pytest.raises(ConfigError, match="cannot be computed for tiles"):
        evaluate_held(None, None, None, True, tile=100)


@pytest.mark.parametrize(
    ("overlap", "whole", "name"),
    [(0.5, True, "--tile-overlap"), (OVERLAP, False, "--no-tile-whole")],
)
def test_options_of_tiles_need_a_size(overlap, whole, name):
    assert tiling(None, OVERLAP, True) is None
    with pytest.raises(DataError, match="without --tile") as error:
        tiling(None, overlap, whole)
    assert error.value.place == name
