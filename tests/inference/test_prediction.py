"""`Prediction`: selection, pixel coordinates, drawings, crops, conversions."""

import sys

import numpy as np
import pytest

from odapi.draw.file import save_image
from odapi.errors import DataError, MissingPackageError
from odapi.inference.prediction import DetectedObject, Prediction
from odapi.inference.predictions import Predictions
from odapi.labels import label_map_of

LABELS = label_map_of(["dog", "cat"])


def prediction(count=3, **changes):
    """The first `count` of three objects in an image of 40 x 60 pixels."""
    arrays = {
        "boxes": [[0.1, 0.2, 0.5, 0.6], [0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.75, 1.0]],
        "scores": [0.9, 0.8, 0.3],
        "class_ids": [2, 1, 2],
    }
    arrays = {name: np.array(values)[:count] for name, values in arrays.items()}
    return Prediction(
        **{
            "image_id": 7, "size": (40, 60), "label_map": LABELS,
            "pixels": np.full((40, 60, 3), 80, np.uint8), **arrays, **changes,
        }
    )  # fmt: skip


def full(**changes):
    """Three objects with masks and two keypoints each."""
    keypoints = [[[0.1, 0.2], [0.5, 0.5]]] * 3
    return prediction(
        **{
            "box_masks": np.ones((3, 4, 4), np.float32),
            "keypoints": np.array(keypoints),
            "keypoint_scores": np.array([[0.9, 0.8]] * 3),
            **changes,
        }
    )


EMPTY = {
    "no objects": prediction(0),
    "empty lists": prediction(boxes=[], scores=[], class_ids=[]),
    "empty with masks and keypoints": full()[:0],
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_prediction_works_everywhere(name, tmp_path):
    found = EMPTY[name]
    assert len(found) == 0 and list(found) == [] and found.labels == ()
    assert found.boxes.shape == (0, 4) and found.xyxy.shape == (0, 4)
    assert found.boxes.dtype == np.float32 and found.class_ids.dtype == np.int32
    assert len(found[found.scores > 0.5]) == len(found[:1]) == len(found[[]]) == 0
    assert found.crop() == [] and found.to_coco() == []
    assert found.plot(min_side=0).tolist() == found.image.tolist()
    assert found.save(tmp_path / "a.png").stat().st_size > 0
    assert (
        found == found[:] and repr(found) == "<Prediction image 7, 60x40: no objects>"
    )
    if found.box_masks is not None:
        assert found.masks.shape == (0, 40, 60)
        assert found.keypoints_xy.shape == (0, 2, 2)


@pytest.mark.parametrize(
    ("index", "scores"),
    [
        (0, [0.9]),
        (-1, [0.3]),
        (np.int64(1), [0.8]),
        (slice(1, None), [0.8, 0.3]),
        (slice(None, None, -1), [0.3, 0.8, 0.9]),
        ([2, 0], [0.3, 0.9]),
        (np.array([True, False, True]), [0.9, 0.3]),
        ([False, True, False], [0.8]),
        ([], []),
    ],
)
def test_selection_gives_a_prediction_of_the_selected_objects(index, scores):
    found = full()[index]
    assert type(found) is Prediction
    np.testing.assert_allclose(found.scores, np.array(scores, np.float32))
    assert len(found.boxes) == len(found.box_masks) == len(found.keypoints)
    assert len(found.labels) == len(scores) and found.image_id == 7


def test_a_condition_on_an_array_selects():
    found = prediction()
    assert found[found.scores > 0.5].labels == ("cat", "dog")
    assert found[found.class_ids == 1].boxes.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize(
    ("index", "error"),
    [
        (3, IndexError), ([5], IndexError), ([True], IndexError), (True, TypeError),
        ("cat", TypeError), (1.0, TypeError), ([[0, 1]], TypeError), (None, TypeError),
    ],
)  # fmt: skip
def test_wrong_selections_are_refused(index, error):
    with pytest.raises(error):
        prediction()[index]


def test_iterating_yields_objects():
    first, second, third = full()
    assert isinstance(first, DetectedObject)
    assert (first.label, first.class_id) == ("cat", 2)
    assert first.score == pytest.approx(0.9) and isinstance(first.score, float)
    assert first.box.tolist() == pytest.approx([0.1, 0.2, 0.5, 0.6])
    assert first.xyxy.tolist() == pytest.approx([12, 4, 36, 20])
    assert second.mask.all() and second.mask.shape == (40, 60)
    assert third.keypoints.tolist() == pytest.approx(np.array([[0.1, 0.2], [0.5, 0.5]]))
    assert next(iter(prediction())).mask is None


def test_pixels_are_x_then_y():
    found = full()
    assert found.xyxy[2].tolist() == [30, 20, 60, 30]
    assert found.keypoints_xy[0].tolist() == pytest.approx(
        np.array([[12, 4], [30, 20]])
    )
    assert prediction().keypoints_xy is None and prediction().masks is None


def test_masks_are_on_the_whole_image():
    found = full()
    assert found.masks.dtype == bool and found.masks.shape == (3, 40, 60)
    assert found.masks[1].all()
    rows, columns = np.nonzero(found.masks[2])
    assert (rows.min(), rows.max()) == (20, 29)
    assert (columns.min(), columns.max()) == (30, 59)


@pytest.mark.parametrize(
    "changes",
    [
        {"boxes": np.zeros((3, 5))},
        {"boxes": np.zeros((2, 4))},
        {"boxes": np.zeros(4)},
        {"class_ids": [1]},
        {"scores": np.zeros((3, 1))},
        {"box_masks": np.zeros((3, 4))},
        {"box_masks": np.zeros((2, 4, 4))},
        {"keypoints": np.zeros((3, 2, 3))},
        {"keypoint_scores": np.zeros(3)},
    ],
)
def test_arrays_of_other_shapes_are_refused(changes):
    with pytest.raises(ValueError, match=f"{next(iter(changes))}|boxes"):
        prediction(**changes)


def test_it_is_frozen_and_compares_by_value():
    with pytest.raises(AttributeError):
        prediction().scores = 1
    assert full() == full() and full() != prediction()
    assert full() != full(keypoints=np.zeros((3, 2, 2)))
    assert prediction() != prediction(image_id=8)
    assert prediction() != "prediction"
    with pytest.raises(TypeError):
        hash(prediction())


def test_the_repr_is_one_line():
    assert repr(prediction()) == ("<Prediction image 7, 60x40: 2 cat 0.90, 1 dog 0.80>")
    many = prediction(
        boxes=np.zeros((5, 4)), scores=np.full(5, 0.5), class_ids=[1, 2, 3, 4, 4]
    )
    short = "1 dog 0.50, 1 cat 0.50, 1 class 3 0.50"
    assert repr(many) == f"<Prediction image 7, 60x40: {short}, 1 more class>"
    assert many.summary() == f"{short}, 2 class 4 0.50"
    rows = Predictions([prediction(), prediction(0)])
    assert repr(rows) == "<Predictions of 2 images: 3 objects>"


def test_a_plot_is_drawn_on_a_copy():
    found = prediction(1)
    before = found.image.copy()
    same = found.plot(min_side=0)
    assert same.shape == (40, 60, 3) and same.dtype == np.uint8
    assert (same != before).any() and (found.image == before).all()
    assert found.plot().shape == (480, 720, 3)


def test_crops_are_the_pixels_within_the_boxes():
    image = np.arange(40 * 60 * 3).reshape(40, 60, 3).astype(np.uint8)
    first, second, third = prediction(pixels=image).crop()
    assert (first == image[4:20, 12:36]).all()
    assert (second == image).all()
    assert third.shape == (10, 30, 3)
    wide = prediction(pixels=image).crop(margin=0.25)
    assert wide[0].shape == (24, 36, 3) and wide[1].shape == (40, 60, 3)


def test_a_box_without_area_still_has_a_crop():
    boxes = [[0.5, 0.5, 0.5, 0.5], [1, 1, 1, 1], [-1, -1, -0.5, -0.5]]
    crops = prediction(boxes=np.array(boxes)).crop()
    assert all(crop.size for crop in crops)


def test_the_image_is_read_from_its_file(tmp_path):
    path = save_image(tmp_path / "a.png", np.full((40, 60, 3), 9, np.uint8))
    found = prediction(path=path).without_pixels()
    assert found.pixels is None and (found.image == 9).all()
    assert prediction().without_pixels().pixels is not None  # Nowhere to read it from.
    path.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        found.plot()
    with pytest.raises(DataError, match="is not kept"):
        prediction(pixels=None).crop()


def test_coco_rows_have_pixels_and_ids_of_the_label_map():
    rows = full().to_coco()
    assert rows[0]["bbox"] == [12, 4, 24, 16]
    assert (rows[0]["image_id"], rows[0]["category_id"]) == (7, 2)
    assert rows[1]["segmentation"]["size"] == [40, 60]
    assert "keypoints" not in rows[0]  # The label map names none for the class.


@pytest.mark.parametrize("package", ["pandas", "supervision"])
def test_a_missing_package_is_named_with_its_install_command(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=rf'pip install "odapi\[{package}\]"'):
        getattr(prediction(), f"to_{package}")()
