"""Contract of all evaluators. A new one adds a row to the table."""

import numpy as np
import pytest

from odapi.geometry.masks import paste_masks, paste_window
from odapi.labels import Category, Keypoint, label_map_of
from odapi.metrics.coco.box_metrics import CocoBoxMetrics
from odapi.metrics.coco.keypoint_metrics import CocoKeypointMetrics
from odapi.metrics.coco.mask_metrics import CocoMaskMetrics
from odapi.metrics.collection import MetricCollection
from odapi.metrics.evaluator import RECALLS, Evaluator
from presence_evaluator import PresenceAccuracy

LABEL_MAP = label_map_of(["cat", "dog", "car"])
KEYPOINTS = Category(1, "cat", keypoints=(Keypoint(0, "nose"), Keypoint(1, "tail")))
EVALUATORS = {
    "coco boxes": lambda: CocoBoxMetrics(LABEL_MAP),
    "coco masks": lambda: CocoMaskMetrics(LABEL_MAP),
    "coco keypoints": lambda: CocoKeypointMetrics(KEYPOINTS),
    "presence": lambda: PresenceAccuracy(["cat", "dog", "car"]),
    "collection": lambda: MetricCollection(
        [
            CocoBoxMetrics(LABEL_MAP),
            CocoMaskMetrics(LABEL_MAP),
            CocoKeypointMetrics(KEYPOINTS),
            PresenceAccuracy(["cat", "dog", "car"]),
        ]
    ),
}


def images(number, seed=0):
    rng = np.random.default_rng(seed)
    for n in range(number):
        count = int(rng.integers(0, 5))
        low = rng.uniform(0, 0.5, (count, 2))
        boxes = np.concatenate([low, low + 0.4], -1).astype("float32")
        classes = rng.integers(0, 3, count).astype("int32")
        truth = {"boxes": boxes, "classes": classes, "size": (100, 150)}
        truth["keypoints"] = np.stack([boxes[:, :2] + 0.1, boxes[:, 2:] - 0.1], 1)
        full = np.ones((count, 4, 4), "float32")
        windows = paste_masks(full, boxes, (100, 150))
        whole = [paste_window(window, (100, 150)) for window in windows]
        truth["masks"] = np.array(whole, "uint8").reshape(count, 100, 150)
        found = {
            "boxes": boxes + np.float32(0.01),
            "classes": classes,
            "scores": rng.random(count).astype("float32"),
            "box_masks": full,
            "keypoints": truth["keypoints"] + np.float32(0.01),
        }
        yield f"image {n}", truth, found


@pytest.fixture(params=EVALUATORS, ids=str)
def evaluator(request):
    return EVALUATORS[request.param]()


def test_it_is_an_evaluator(evaluator):
    assert isinstance(evaluator, Evaluator)


def test_rows_per_class_curves_and_hints_are_of_their_types(evaluator):
    for image in images(5):
        evaluator.update(*image)
    for row in evaluator.per_class():
        assert row.name in {"cat", "dog", "car"} and row.num_objects >= 0
        assert row.columns()
        assert all(type(value) is float for value in row.columns().values())
    for curve in evaluator.curves().values():
        assert curve.shape == RECALLS.shape
    assert all(isinstance(hint, str) for hint in evaluator.hints())
    assert evaluator.suspiciously_low() is False


def test_every_metric_of_minus_1_has_a_reason(evaluator):
    assert evaluator.explain().keys() == evaluator.compute().keys()


def test_before_any_image_all_is_minus_1(evaluator):
    metrics = evaluator.compute()
    assert metrics and set(metrics.values()) == {-1.0}


def test_metrics_are_a_flat_dict_of_plain_floats(evaluator):
    for image in images(5):
        evaluator.update(*image)
    metrics = evaluator.compute()
    assert all(type(k) is str and type(v) is float for k, v in metrics.items())
    assert all(v == -1 or 0 <= v <= 1 for v in metrics.values())
    assert max(metrics.values()) > 0


def test_names_do_not_depend_on_the_data(evaluator):
    names = list(evaluator.compute())
    for image in images(3):
        evaluator.update(*image)
    assert list(evaluator.compute()) == names


def test_compute_changes_nothing(evaluator):
    rows = list(images(6))
    for image in rows[:3]:
        evaluator.update(*image)
    assert evaluator.compute() == evaluator.compute()
    for image in rows[3:]:
        evaluator.update(*image)
    once = evaluator.compute()
    evaluator.reset()
    for image in rows:
        evaluator.update(*image)
    assert evaluator.compute() == once


def test_reset_forgets(evaluator):
    empty = evaluator.compute()
    for image in images(3):
        evaluator.update(*image)
    evaluator.reset()
    assert evaluator.compute() == empty


def test_better_detections_never_score_lower(evaluator):
    rows = list(images(8))
    for name, truth, found in rows:
        moved = {k: found[k] + np.float32(0.1) for k in ("boxes", "keypoints")}
        worse = {**found, **moved}
        evaluator.update(name, truth, worse)
    worse = evaluator.compute()
    evaluator.reset()
    for image in rows:
        evaluator.update(*image)
    assert all(v >= worse[k] for k, v in evaluator.compute().items())


def test_arrays_given_are_left_as_they_are(evaluator):
    name, truth, found = next(images(1, seed=3))
    before = {k: np.copy(v) for k, v in {**truth, **found}.items()}
    evaluator.update(name, truth, found)
    for key, value in {**truth, **found}.items():
        np.testing.assert_array_equal(value, before[key])


def test_an_image_twice_is_refused(evaluator):
    image = next(images(1))
    evaluator.update(*image)
    with pytest.raises(ValueError, match="already"):
        evaluator.update(*image)
