"""Predictions in pandas and supervision: run by `make test-supervision`."""

import importlib.util
import os

import numpy as np
import pytest

from odapi.inference.prediction import Prediction
from odapi.inference.predictions import Predictions
from odapi.labels import label_map_of

# Under CI `make test-supervision` runs them in an environment that has both.
if importlib.util.find_spec("supervision") is None and not os.environ.get(
    "NEED_SUPERVISION"
):
    pytest.skip("supervision is not installed", allow_module_level=True)

import supervision as sv

LABELS = label_map_of(["dog", "cat"])


def prediction(count=2, **changes):
    boxes = np.array([[0.1, 0.2, 0.5, 0.6], [0.0, 0.0, 1.0, 1.0]])[:count]
    return Prediction(
        **{
            "image_id": 7, "size": (40, 60), "label_map": LABELS, "boxes": boxes,
            "scores": np.array([0.9, 0.8])[:count],
            "class_ids": np.array([2, 1])[:count],
            "pixels": np.zeros((40, 60, 3), np.uint8), **changes,
        }
    )  # fmt: skip


def test_supervision_gets_pixels_ids_and_names():
    found = prediction().to_supervision()
    assert isinstance(found, sv.Detections) and len(found) == 2
    assert found.xyxy.tolist() == pytest.approx(
        np.array([[12, 4, 36, 20], [0, 0, 60, 40]])
    )
    assert found.class_id.tolist() == [2, 1]
    assert found.data["class_name"].tolist() == ["cat", "dog"]
    assert found[found.confidence > 0.85].class_id.tolist() == [2]
    assert found.mask is None


def test_supervision_gets_masks():
    masks = np.ones((2, 4, 4), np.float32)
    found = prediction(box_masks=masks).to_supervision()
    assert found.mask.shape == (2, 40, 60) and found.mask[1].all()
    assert found.area[1] == 40 * 60


@pytest.mark.parametrize("with_masks", [False, True])
def test_supervision_takes_an_image_without_objects(with_masks):
    changes = {"box_masks": np.ones((0, 4, 4), np.float32)} if with_masks else {}
    found = prediction(0, **changes).to_supervision()
    assert len(found) == 0 and found.is_empty()
    merged = sv.Detections.merge([found, prediction().to_supervision()])
    assert len(merged) == 2


def test_supervision_draws_them():
    image = np.zeros((40, 60, 3), np.uint8)
    drawn = sv.BoxAnnotator().annotate(image.copy(), prediction().to_supervision())
    assert (drawn != image).any()


def test_pandas_gets_one_row_per_object():
    table = prediction().to_pandas()
    assert list(table.columns) == [
        "image_id", "path", "class_id", "label", "score", "x_min", "y_min", "x_max",
        "y_max",
    ]  # fmt: skip
    assert table["label"].tolist() == ["cat", "dog"]
    assert table.loc[0, ["x_min", "y_min", "x_max", "y_max"]].tolist() == pytest.approx(
        [12, 4, 36, 20]
    )
    assert list(prediction(0).to_pandas().columns) == list(table.columns)
    both = Predictions([prediction(0), prediction(), prediction(1)]).to_pandas()
    assert both["label"].tolist() == ["cat", "dog", "cat"]
    assert both.index.tolist() == [0, 1, 2]
    assert len(Predictions([prediction(0)]).to_pandas()) == 0
