"""The repr of a result, which a notebook shows, has at most two lines."""

import numpy as np
import pytest

import odapi
from odapi.checkpoints.load_detector import LoadedDetector
from odapi.labels import label_map_of
from odapi.training.plan import Outcome

MANY = [f"a long name of a class, number {n}" for n in range(400)]


def prediction(number):
    return odapi.Prediction(
        image_id=1, size=(4000, 6000), boxes=np.zeros((number, 4)),
        scores=np.ones(number), class_ids=np.arange(1, number + 1),
        label_map=label_map_of(MANY), box_masks=np.zeros((number, 33, 33)),
        keypoints=np.zeros((number, 17, 2)), pixels=np.zeros((40, 60, 3), np.uint8),
    )  # fmt: skip


RESULTS = {
    "prediction": (
        prediction(300),
        "<Prediction image 1, 6000x4000: 1 a long name of a class, number 0 1.00, 1 a "
        "long name of a class, number 1 1.00, 1 a long name of a class, number 2 1.00, "
        "297 more classes>",
    ),
    "predictions": (
        odapi.Predictions([prediction(300)] * 500),
        "<Predictions of 500 images: 150000 objects>",
    ),
    "classes": (
        label_map_of(["cat", "dog"]), "<LabelMap label map: 1 cat, 2 dog>"
    ),
    "many classes": (
        label_map_of([str(n) for n in range(400)], "names.pbtxt"),
        "<LabelMap names.pbtxt: 1 0, 2 1, 3 2, 4 3, 5 4, 6 5, 7 6, 8 7, 9 8, 10 9, ... "
        "(400 in all)>",
    ),
    "loaded detector": (
        LoadedDetector(None, None, label_map_of(["cat"]), 7, "runs/first"),
        "<LoadedDetector runs/first at step 7: <LabelMap label map: 1 cat>>",
    ),
    "training": (
        Outcome(8, metrics={f"m{n}": n / 10 for n in range(99)}, losses={"l": 1.0}),
        "<Outcome at step 8 (done): m0 0.0000, m1 0.1000, m2 0.2000, m3 0.3000, ... "
        "(100 in all)>",
    ),
    "training without metrics": (
        Outcome(1, "interrupted"), "<Outcome at step 1 (interrupted): no metrics>"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("result", "shown"), RESULTS.values(), ids=RESULTS)
def test_reprs(result, shown):
    assert repr(result) == shown
