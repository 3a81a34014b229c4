"""COCO keypoint metrics compared with pycocotools, and edge cases."""

import contextlib
import io
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

from odapi.errors import DataError
from odapi.labels import Category, Keypoint
from odapi.metrics.coco.keypoint_metrics import CocoKeypointMetrics
from odapi.metrics.coco.keypoint_sigmas import estimate_sigmas
from requirement import require

# The keypoints 2, 3 and 5 of the data are those of the class with id 4.
CATEGORY = Category(
    4, "dog", keypoints=(Keypoint(3, "nose"), Keypoint(2, "tail"), Keypoint(5, "paw"))
)
SIGMAS = {"nose": 0.03, "tail": 0.1, "paw": 0.06}
IDS = [3, 2, 5]
NAMES = (
    "Precision/mAP",
    "Precision/mAP@.50IOU",
    "Precision/mAP@.75IOU",
    "Precision/mAP (medium)",
    "Precision/mAP (large)",
    "Recall/AR@1",
    "Recall/AR@10",
    "Recall/AR@100",
    "Recall/AR@100 (medium)",
    "Recall/AR@100 (large)",
)


def random_images(seed, number=25):
    """Images with crowds, ties, unlabeled keypoints and objects of other classes."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(number):
        size = rng.integers(80, 600, 2)
        count = int(rng.integers(0, 6))
        low = rng.uniform(0, 0.6, (count, 2))
        boxes = np.concatenate([low, low + rng.uniform(0.05, 0.4, (count, 2))], -1)
        span = boxes[:, None, 2:] - boxes[:, None, :2]
        points = boxes[:, None, :2] + rng.random((count, 6, 2)) * span
        visible = rng.integers(0, 3, (count, 6)) * (rng.random((count, 1)) > 0.15)
        truth = {
            "boxes": boxes,
            "classes": rng.choice([3, 3, 3, 1], count),
            "size": tuple(size),
            "is_crowd": rng.random(count) < 0.1,
            "area": (boxes[:, 2:] - boxes[:, :2]).prod(-1) * size.prod() * 0.6,
            "keypoints": np.where(visible[..., None] > 0, points, np.nan),
            "keypoint_visibility": visible,
        }
        kept = rng.random(count) < 0.8
        extra = rng.random((2, 6, 2))
        near = points[kept] + rng.normal(0, 0.006, (int(kept.sum()), 6, 2))
        found = {
            "boxes": np.zeros((len(near) + 2, 4)),
            "classes": np.concatenate([truth["classes"][kept], [3, 3]]),
            "scores": rng.integers(1, 20, len(near) + 2) / 20,
            "keypoints": np.concatenate([near, extra]),
        }
        images.append((truth, found))
    return images


def of_pycocotools(images):
    """The oracle: its ten metrics of the same images."""
    coco = require("pycocotools.coco")
    cocoeval = require("pycocotools.cocoeval")
    annotations, results = [], []

    def triples(points, size, visible):
        yx = np.nan_to_num(points[IDS]) * size
        values = np.column_stack([yx[:, 1], yx[:, 0], visible])
        values[np.asarray(visible) == 0] = 0
        return values.reshape(-1).tolist()

    for n, (truth, found) in enumerate(images, 1):
        size = np.array(truth["size"])
        for i in np.flatnonzero(np.asarray(truth["classes"]) == 3):
            visible = truth["keypoint_visibility"][i][IDS]
            y0, x0, y1, x1 = truth["boxes"][i] * np.tile(size, 2)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": n,
                    "category_id": 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": float(truth["area"][i]),
                    "iscrowd": int(truth["is_crowd"][i]),
                    "keypoints": triples(truth["keypoints"][i], size, visible),
                    "num_keypoints": int((visible > 0).sum()),
                }
            )
        for i in np.flatnonzero(np.asarray(found["classes"]) == 3):
            results.append(
                {
                    "image_id": n,
                    "category_id": 1,
                    "keypoints": triples(found["keypoints"][i], size, np.ones(3)),
                    "score": float(found["scores"][i]),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth_set = coco.COCO()
        truth_set.dataset = {
            "images": [{"id": n + 1} for n in range(len(images))],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "dog"}],
        }
        truth_set.createIndex()
        evaluation = cocoeval.COCOeval(
            truth_set, truth_set.loadRes(results), "keypoints"
        )
        evaluation.params.kpt_oks_sigmas = np.array([SIGMAS[k] for k in SIGMAS])
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def measured(images, sigmas=SIGMAS, **options):
    metrics = CocoKeypointMetrics(CATEGORY, sigmas, **options)
    for n, (truth, found) in enumerate(images):
        metrics.update(f"{n}", truth, found)
    return metrics


@pytest.mark.parametrize("seed", range(4))
def test_metrics_equal_pycocotools(seed):
    images = random_images(seed)
    numbers = measured(images).compute()
    assert list(numbers) == [f"Keypoints_{n} ByCategory/dog" for n in NAMES]
    assert_allclose(list(numbers.values()), of_pycocotools(images), atol=1e-9)
    assert 0.05 < numbers["Keypoints_Precision/mAP ByCategory/dog"] < 1


def one_image(shift=0.0, visible=(2, 2, 2)):
    points = np.full((1, 6, 2), np.nan)
    points[0, IDS] = [[0.2, 0.2], [0.3, 0.4], [0.4, 0.3]]
    points[0, IDS][np.array(visible) == 0] = np.nan
    seen = np.zeros((1, 6), int)
    seen[0, IDS] = visible
    truth = {
        "boxes": np.array([[0.1, 0.1, 0.5, 0.5]]),
        "classes": [3],
        "size": (100, 100),
        "keypoints": points,
        "keypoint_visibility": seen,
    }
    found = {
        "boxes": truth["boxes"],
        "classes": [3],
        "scores": [0.5],
        "keypoints": points + shift,
    }
    return truth, found


def test_object_keypoint_similarity_by_hand():
    # All are off by (3, 3) pixels: squared 18, area 1600, so with a sigma of 0.06 the
    # similarity is exp(-18 / (2 * 1600 * 0.12^2)) = 0.677.
    images = [one_image(0.03)]
    numbers = measured(images, dict.fromkeys(SIGMAS, 0.06)).compute()
    assert numbers["Keypoints_Recall/AR@1 ByCategory/dog"] == pytest.approx(0.4)
    assert numbers["Keypoints_Recall/AR@10 ByCategory/dog"] == 1  # At 0.5.
    assert numbers["Keypoints_Recall/AR@100 ByCategory/dog"] == 0  # At 0.75.


def test_objects_without_labeled_keypoints_do_not_count():
    metrics = measured([one_image(visible=(0, 0, 0))])
    assert set(metrics.compute().values()) == {-1.0}
    reason = metrics.explain()["Keypoints_Precision/mAP ByCategory/dog"]
    assert "'dog' of any size has a labeled keypoint" in reason


def test_an_image_without_objects_or_detections():
    empty = {
        "boxes": np.zeros((0, 4)),
        "classes": [],
        "size": (10, 10),
        "keypoints": np.zeros((0, 6, 2)),
    }
    nothing = {**empty, "scores": []}
    numbers = measured([(empty, nothing), one_image()]).compute()
    assert numbers["Keypoints_Precision/mAP ByCategory/dog"] == pytest.approx(1)


@pytest.mark.parametrize("missing", ["truth", "found"])
def test_missing_keypoints_are_an_error(missing):
    truth, found = one_image()
    (truth if missing == "truth" else found).pop("keypoints")
    with pytest.raises(DataError, match="have no keypoints"):
        measured([(truth, found)])


@pytest.mark.parametrize(
    ("category", "sigmas", "message"),
    [
        (Category(1, "car"), {}, "'car' has no keypoints"),
        (
            CATEGORY,
            {"nos": 0.1},
            "'nos' is not a keypoint of 'dog', whose keypoints are nose",
        ),
        (CATEGORY, {"nose": 0.0}, "must be > 0"),
    ],
)
def test_invalid_arguments_are_refused(category, sigmas, message):
    with pytest.raises(ValueError, match=message):
        CocoKeypointMetrics(category, sigmas)


def test_missing_sigmas_are_those_of_the_original():
    metrics = measured([one_image()], {"tail": 0.07})
    assert metrics.sigmas.tolist() == [0.05, 0.07, 0.05]


def test_missing_sigmas_are_estimated_on_request():
    # Distances to the nearest other: 22.36 (nose to tail), 14.14 (tail and paw); the
    # square root of the area is 40.
    metrics = measured([one_image()], {"tail": 0.07}, estimate=True)
    assert_allclose(metrics.sigmas, [0.107, 0.07, 0.28 * 14.142 / 40], rtol=1e-4)
    numbers = metrics.compute()
    assert list(numbers) == [
        f"KeypointsEstimatedSigmas_{n} ByCategory/dog" for n in NAMES
    ]
    name = "KeypointsEstimatedSigmas_Precision/mAP ByCategory/dog"
    assert numbers[name] == pytest.approx(1)


# Of CocoKeypointEvaluator of the original, run on the random images of 32 x 32 of
# evaluator_random_scenarios.json: mAP of "cat" without sigmas, and of "person" with.
RANDOM_MAPS = [
    (0.06732673, 0.2990099),
    (0.41904762, 0.5709571),
    (0.55148515, 0.66336634),
]


@pytest.mark.parametrize("number", range(3))
def test_metrics_of_the_original_with_and_without_sigmas(shared, number):
    file = shared / "original_tests" / "evaluator_random_scenarios.json"
    case = json.loads(file.read_text())["cases"][number]
    found = []
    for run in case["expected"]["runs"][8], case["expected"]["runs"][7]:
        options, fields = run["options"], run["fields_given"]
        keypoints = tuple(Keypoint(**k) for k in options["category_keypoints"])
        category = Category(
            options["category_id"], options["class_text"], "", keypoints
        )
        metrics = CocoKeypointMetrics(category, options.get("oks_sigmas"))
        for n, image in enumerate(case["inputs"]["images"]):
            metrics.update(f"{n}", *_arrays(image, fields))
        assert_allclose(
            list(metrics.compute().values()), list(run["metrics"].values()), atol=1e-6
        )
        assert list(metrics.compute()) == list(run["metrics"])
        found.append(next(iter(metrics.compute().values())))
    assert_allclose(found, RANDOM_MAPS[number], atol=1e-6)


def _arrays(image, fields):
    """Groundtruth and detections of an image of 32 x 32; class 1 has index 0."""
    for objects in image.values():
        count = len(objects["classes"])
        boxes = np.array(objects["boxes_ymin_xmin_ymax_xmax"]).reshape(count, 4)
        arrays = {
            "boxes": boxes / 32,
            "classes": np.array(objects["classes"], int) - 1,
            "keypoints": np.array(objects["keypoints_yx"]).reshape(count, 4, 2) / 32,
        }
        if "scores" in objects:
            arrays["scores"] = objects["scores"]
        else:
            arrays["size"] = (32, 32)
            if "crowd" in fields:
                arrays["is_crowd"] = np.array(objects["is_crowd"], bool)
            if "visibility" in fields:
                arrays["keypoint_visibility"] = np.array(
                    objects["keypoint_visibility"], int
                ).reshape(count, 4)
        yield arrays


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (np.zeros((0, 3, 2)), [0.05] * 3),
        (np.zeros((2, 1, 2)), [0.05]),
        ([[[0, 0], [0, 10], [np.nan, np.nan]]], [0.028, 0.028, 0.05]),
        ([[[0, 0], [0, 1], [0, 90]]], [0.025, 0.025, 0.107]),
        # The median of 10, 20 and 30.
        ([[[0, 0], [0, d]] for d in (10, 30, 20)], [0.056, 0.056]),
    ],
)
def test_estimates_by_hand(points, expected):
    points = np.array(points, float)
    found = estimate_sigmas(points, np.full(len(points), 1e4))
    assert_allclose(found, expected, rtol=1e-6)
