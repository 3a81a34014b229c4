"""COCO box metrics compared with pycocotools, and edge cases."""

import contextlib
import io

import numpy as np
import pytest

from odapi.labels import Category, LabelMap, label_map_of
from odapi.metrics.coco.box_metrics import CocoBoxMetrics
from odapi.metrics.pixel_boxes import xywh_px
from requirement import require

NAMES = [
    "DetectionBoxes_Precision/mAP",
    "DetectionBoxes_Precision/mAP@.50IOU",
    "DetectionBoxes_Precision/mAP@.75IOU",
    "DetectionBoxes_Precision/mAP (small)",
    "DetectionBoxes_Precision/mAP (medium)",
    "DetectionBoxes_Precision/mAP (large)",
    "DetectionBoxes_Recall/AR@1",
    "DetectionBoxes_Recall/AR@10",
    "DetectionBoxes_Recall/AR@100",
    "DetectionBoxes_Recall/AR@100 (small)",
    "DetectionBoxes_Recall/AR@100 (medium)",
    "DetectionBoxes_Recall/AR@100 (large)",
]
GAPS = LabelMap(tuple(Category(i, f"class_{i}") for i in (1, 2, 5, 9)))


def pycocotools_eval(label_map, images):
    """The oracle: pycocotools on the same images, given as (truth, detections)."""
    coco = require("pycocotools.coco")
    cocoeval = require("pycocotools.cocoeval")
    annotations, results = [], []
    for n, (truth, found) in enumerate(images, 1):
        boxes = np.round(xywh_px(truth["boxes"], truth["size"]), 3)
        for i, box in enumerate(boxes):
            area = truth.get("area", np.zeros(len(boxes)))[i]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": n,
                    "category_id": int(truth["classes"][i]) + 1,
                    "bbox": box.tolist(),
                    "area": float(area) if area > 0 else float(box[2] * box[3]),
                    "iscrowd": int(truth.get("is_crowd", np.zeros(len(boxes)))[i]),
                }
            )
        for i, box in enumerate(xywh_px(found["boxes"], truth["size"])):
            results.append(
                {
                    "image_id": n,
                    "category_id": int(found["classes"][i]) + 1,
                    "bbox": box.tolist(),
                    "score": float(found["scores"][i]),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth_set = coco.COCO()
        truth_set.dataset = {
            "images": [{"id": n + 1} for n in range(len(images))],
            "annotations": annotations,
            "categories": [{"id": c.id, "name": c.name} for c in label_map],
        }
        truth_set.createIndex()
        found_set = truth_set.loadRes(results) if results else coco.COCO()
        evaluation = cocoeval.COCOeval(truth_set, found_set, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def random_images(seed, num_images=30, label_map=GAPS, decimals=2, most=14):
    """Images with crowds, ties, misses, empty ones and ones without detections."""
    rng = np.random.default_rng(seed)
    ids = np.array([c.index for c in label_map])
    images = []
    for n in range(num_images):
        size = rng.integers(60, 500, 2)
        num = 0 if n % 7 == 3 else rng.integers(1, most)
        low = rng.uniform(0, 0.8, (num, 2))
        high = np.minimum(low + rng.uniform(0.01, 0.6, (num, 2)), 1.0)
        boxes = np.concatenate([low, high], -1).astype("float32")
        classes = rng.choice(ids, num).astype("int32")
        truth = {"boxes": boxes, "classes": classes, "size": size}
        if n % 2:
            truth["is_crowd"] = rng.random(num) < 0.15
        if n % 3 == 0:
            px = np.prod(xywh_px(boxes, size)[:, 2:], axis=-1)
            truth["area"] = (px * rng.choice([0.0, 0.6, 1.0], num)).astype("float32")
        take = rng.random(num) < 0.8
        near = boxes[take] + rng.normal(0, 0.02, (take.sum(), 4)).astype("float32")
        extra = rng.integers(0, 12)
        far_low = rng.uniform(0, 0.7, (extra, 2))
        far = np.concatenate([far_low, far_low + 0.2], -1).astype("float32")
        found = np.concatenate([near, far])
        classes = np.concatenate([classes[take], rng.choice(ids, extra)])
        scores = np.round(rng.random(len(found)), decimals)  # Few decimals: ties.
        if n % 7 == 5:
            found, classes, scores = found[:0], classes[:0], scores[:0]
        images.append((truth, {"boxes": found, "classes": classes, "scores": scores}))
    return images


def metrics_of(images, label_map=GAPS, **options):
    metrics = CocoBoxMetrics(label_map, **options)
    for n, (truth, found) in enumerate(images):
        metrics.update(f"image {n}", truth, found)
    return metrics


EMPTY = {
    "boxes": np.zeros((0, 4), "float32"),
    "classes": np.zeros(0, "int32"),
    "scores": np.zeros(0, "float32"),
    "size": (100, 100),
}


@pytest.mark.parametrize("decimals", [1, 2, 6])
@pytest.mark.parametrize("seed", range(4))
def test_metrics_equal_pycocotools(seed, decimals):
    images = random_images(seed, decimals=decimals)
    ours = metrics_of(images).compute()
    oracle = pycocotools_eval(GAPS, images)
    assert list(ours) == NAMES
    np.testing.assert_allclose(list(ours.values()), oracle.stats, rtol=0, atol=1e-9)


def test_more_than_100_detections_per_image_equal_pycocotools():
    rng = np.random.default_rng(0)
    truth, _ = random_images(1, num_images=1, most=40)[0]
    low = rng.uniform(0, 0.8, (300, 2))
    found = {
        "boxes": np.concatenate([low, low + 0.2], -1).astype("float32"),
        "classes": rng.choice([0, 1, 4, 8], 300),
        "scores": rng.random(300),
    }
    ours = metrics_of([(truth, found)]).compute()
    oracle = pycocotools_eval(GAPS, [(truth, found)])
    np.testing.assert_allclose(list(ours.values()), oracle.stats, rtol=0, atol=1e-9)


def test_each_category_equals_pycocotools():
    images = random_images(5)
    metrics = metrics_of(images, all_metrics_per_category=True)
    precision = pycocotools_eval(GAPS, images).eval["precision"]
    for k, row in enumerate(metrics.per_class()):
        assert row.ap == pytest.approx(precision[:, :, k, 0, 2].mean(), abs=1e-9)
        assert row.ap50 == pytest.approx(precision[0, :, k, 0, 2].mean(), abs=1e-9)
        assert row.ap75 == pytest.approx(precision[5, :, k, 0, 2].mean(), abs=1e-9)
    found = metrics.compute()
    # Names of the original, metrics/coco_tools.py.
    for name, value in {
        "DetectionBoxes_PerformanceByCategory/mAP/class_5": precision[:, :, 2, 0, 2],
        "DetectionBoxes_Precision mAP ByCategory/class_5": precision[:, :, 2, 0, 2],
        "DetectionBoxes_Precision mAP@.50IOU ByCategory/class_5": precision[
            0, :, 2, 0, 2
        ],
        "DetectionBoxes_Precision mAP (large) ByCategory/class_5": precision[
            :, :, 2, 3, 2
        ],
    }.items():
        assert found[name] == pytest.approx(value[value > -1].mean(), abs=1e-9)
    assert "DetectionBoxes_Recall AR@100 (medium) ByCategory/class_9" in found
    assert len(found) == 12 + 4 * 13


def test_metrics_per_category_are_there_on_request_only():
    images = random_images(6, num_images=4)
    assert len(metrics_of(images).compute()) == 12
    assert len(metrics_of(images, include_metrics_per_category=True).compute()) == 16


def test_a_group_is_the_mean_of_its_classes_that_have_groundtruth():
    images = random_images(7, label_map=label_map_of(["a", "b"]))
    label_map = label_map_of(["a", "b", "absent"])
    metrics = metrics_of(
        images,
        label_map,
        include_metrics_per_category=True,
        super_categories={"ab": ["a", "b", "absent"], "none": ["absent"]},
    )
    found = metrics.compute()
    a, b, absent = (
        found[f"DetectionBoxes_PerformanceByCategory/mAP/{n}"]
        for n in ("a", "b", "absent")
    )
    assert absent == -1
    group = "DetectionBoxes_PerformanceBySuperCategory/"
    assert found[group + "ab"] == pytest.approx((a + b) / 2)
    assert found[group + "none"] == -1
    assert "no class of this group" in metrics.explain()[group + "none"]


def test_a_group_with_an_unknown_class_is_refused():
    with pytest.raises(ValueError, match="'dog'"):
        CocoBoxMetrics(label_map_of(["cat"]), super_categories={"pets": ["dog"]})


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ([], "no image was evaluated"),
        ([(EMPTY, EMPTY)], "no groundtruth object in 1 image"),
        (
            [
                (
                    {**EMPTY, "boxes": [[0, 0, 1, 1]], "classes": [0], "is_crowd": [1]},
                    EMPTY,
                )
            ],
            "no groundtruth object in 1 image (crowds do not count)",
        ),
    ],
)
def test_without_groundtruth_every_metric_is_minus_1_with_its_reason(images, reason):
    metrics = metrics_of(images)
    assert list(metrics.compute().values()) == [-1.0] * 12
    assert metrics.explain() == dict.fromkeys(NAMES, reason)
    assert all(row.ap == row.f1 == -1 for row in metrics.per_class())
    assert metrics.curves() == {}


def test_reasons_name_the_size_and_the_class():
    truth = {**EMPTY, "boxes": [[0, 0, 1, 1]], "classes": [0]}
    label_map = label_map_of(["big", "a (small) one"])
    metrics = metrics_of([(truth, EMPTY)], label_map, include_metrics_per_category=True)
    reasons = metrics.explain()
    assert set(reasons) == {
        "DetectionBoxes_Precision/mAP (small)",
        "DetectionBoxes_Precision/mAP (medium)",
        "DetectionBoxes_Recall/AR@100 (small)",
        "DetectionBoxes_Recall/AR@100 (medium)",
        "DetectionBoxes_PerformanceByCategory/mAP/a (small) one",
    }
    assert reasons["DetectionBoxes_Precision/mAP (small)"] == (
        "no groundtruth object below 32 x 32 pixels in 1 image"
    )
    assert reasons["DetectionBoxes_PerformanceByCategory/mAP/a (small) one"] == (
        "no groundtruth object of class 'a (small) one' in 1 image"
    )


def test_groundtruth_without_detections_gives_0():
    truth = {**EMPTY, "boxes": [[0, 0, 1, 1]], "classes": [0]}
    metrics = metrics_of([(truth, EMPTY)])
    assert metrics.compute()["DetectionBoxes_Precision/mAP"] == 0.0
    row = metrics.per_class()[0]
    assert (row.ap, row.f1, row.num_objects) == (0.0, 0.0, 1)


def test_perfect_detections_give_1():
    truth = {**EMPTY, "boxes": [[0, 0, 0.2, 0.2], [0.5, 0.5, 1, 1]], "classes": [0, 8]}
    found = {**truth, "scores": [0.9, 0.7]}
    metrics = metrics_of([(truth, found)])
    assert metrics.compute()["DetectionBoxes_Precision/mAP"] == pytest.approx(1.0)
    row = metrics.per_class()[0]
    assert (row.f1, row.precision, row.recall) == pytest.approx((1, 1, 1))
    assert row.threshold == pytest.approx(0.9)


def test_a_box_of_exactly_32_pixels_is_small_and_medium_despite_float32():
    # 32 pixels of 427 are not a float32; COCO counts an area of 1024 as both.
    box = (np.array([[100, 100, 132, 132]]) / 427).astype("float32")
    truth = {"boxes": box, "classes": [0], "size": (427, 427)}
    found = {"boxes": box, "classes": [0], "scores": [1.0]}
    metrics = metrics_of([(truth, found)]).compute()
    assert metrics["DetectionBoxes_Precision/mAP (small)"] == pytest.approx(1.0)
    assert metrics["DetectionBoxes_Precision/mAP (medium)"] == pytest.approx(1.0)
    assert metrics["DetectionBoxes_Precision/mAP (large)"] == -1


def test_classes_that_are_not_in_the_label_map_are_ignored():
    box = np.array([[0.0, 0.0, 0.5, 0.5]])
    truth = {"boxes": box, "classes": [0], "size": (100, 100)}
    found = {
        "boxes": np.repeat(box, 4, axis=0),
        "classes": [2, 50, -1, 0],  # 2 is the id 3, a gap of the label map.
        "scores": [0.9, 0.9, 0.9, 0.1],
    }
    assert metrics_of([(truth, found)]).compute()[NAMES[0]] == pytest.approx(1.0)


def test_predictions_of_classes_that_were_not_annotated_can_be_ignored():
    truth = {**EMPTY, "boxes": [[0, 0, 1, 1]], "classes": [0], "labeled_classes": [0]}
    other = {**EMPTY, "boxes": [[0, 0, 1, 1]], "classes": [1], "labeled_classes": [1]}
    found = {"boxes": [[0, 0, 1, 1]] * 2, "classes": [0, 1], "scores": [0.5, 0.9]}
    images = [(truth, found), (other, found)]
    skipped = metrics_of(images, skip_predictions_for_unlabeled_class=True).compute()
    counted = metrics_of(images).compute()
    assert skipped[NAMES[0]] == pytest.approx(1.0)
    assert counted[NAMES[0]] < 0.8


BOX, ELSEWHERE = [0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]


@pytest.mark.parametrize(
    ("partial", "skip", "expected"),
    [
        # The wrong detection has the higher score: precision 1/2 at any recall.
        ([], True, 0.5),
        ([0], False, 0.5),
        # Neither right nor wrong, as in LVIS, though the found object counts.
        ([0], True, 1.0),
        ([1], True, 0.5),  # Another class.
        ([7], True, 0.5),  # Not in the label map.
    ],
)
def test_detections_of_classes_that_are_annotated_in_part(partial, skip, expected):
    truth = {"boxes": [BOX], "classes": [0], "size": (100, 100)}
    truth["not_exhaustive_classes"] = np.array(partial, np.int32)
    found = {"boxes": [ELSEWHERE, BOX], "classes": [0, 0], "scores": [0.9, 0.8]}
    metrics = metrics_of([(truth, found)], skip_predictions_for_unlabeled_class=skip)
    assert metrics.compute()[NAMES[0]] == pytest.approx(expected)
    assert metrics.compute()[NAMES[8]] == pytest.approx(1.0)  # Recall.
    assert metrics.per_class()[0].num_objects == 1
    assert len(metrics.hints()) == (partial == [0] and not skip)


def test_objects_of_a_class_that_is_annotated_in_part_can_be_missed():
    truth = {"boxes": [BOX], "classes": [0], "size": (100, 100)}
    truth["not_exhaustive_classes"] = [0]
    found = {"boxes": [ELSEWHERE], "classes": [0], "scores": [0.9]}
    metrics = metrics_of([(truth, found)], skip_predictions_for_unlabeled_class=True)
    assert metrics.compute()[NAMES[0]] == 0


@pytest.mark.parametrize(("all_labeled", "expected"), [(True, 0.5), (False, 1.0)])
def test_images_without_labeled_classes(all_labeled, expected):
    truth = {**EMPTY, "boxes": [BOX], "classes": [0]}
    other = {**EMPTY, "boxes": [BOX], "classes": [1]}
    found = {"boxes": [BOX, BOX], "classes": [0, 1], "scores": [0.8, 0.8]}
    first = {**found, "scores": [0.8, 0.9]}
    metrics = metrics_of(
        [(truth, first), (other, {**found, "scores": [0.9, 0.8]})],
        skip_predictions_for_unlabeled_class=True,
        all_labeled_by_default=all_labeled,
    )
    assert metrics.compute()[NAMES[0]] == pytest.approx(expected)


def test_images_with_few_labeled_classes_are_named():
    truth = {**EMPTY, "labeled_classes": [0]}
    found = {"boxes": [BOX], "classes": [1], "scores": [0.5]}
    (hint,) = metrics_of([(truth, found)]).hints()
    assert hint.startswith("1 image may have objects without annotation")
    assert "skip_predictions_for_unlabeled_class=true" in hint
    everything = {**EMPTY, "labeled_classes": [0, 1, 4, 8]}
    assert metrics_of([(everything, found)]).hints() == ()


def test_compute_between_updates_changes_nothing():
    images = random_images(8, num_images=6)
    once = metrics_of(images).compute()
    metrics = CocoBoxMetrics(GAPS)
    for n, image in enumerate(images):
        metrics.update(str(n), *image)
        metrics.compute()
    assert metrics.compute() == once
    assert metrics.num_images == 6


def test_reset_forgets():
    metrics = metrics_of(random_images(9, num_images=3))
    metrics.reset()
    assert metrics.num_images == 0
    assert metrics.compute()[NAMES[0]] == -1


def test_the_same_image_twice_is_refused():
    metrics = metrics_of([(EMPTY, EMPTY)])
    with pytest.raises(ValueError, match="'image 0' was already added"):
        metrics.update("image 0", EMPTY, EMPTY)


@pytest.mark.parametrize(
    ("truth", "found", "message"),
    [
        ({**EMPTY, "classes": [1, 2]}, EMPTY, "groundtruth have lengths"),
        (EMPTY, {**EMPTY, "scores": [0.5]}, "detections have lengths"),
        (
            EMPTY,
            {"boxes": [[0, 0, np.nan, 1]], "classes": [0], "scores": [1.0]},
            "not finite",
        ),
        (
            EMPTY,
            {"boxes": [[0, 0, 1, 1]], "classes": [0], "scores": [np.nan]},
            "not finite",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused_and_leave_the_metrics_unchanged(
    truth, found, message
):
    metrics = CocoBoxMetrics(GAPS)
    with pytest.raises(ValueError, match=message):
        metrics.update("bad", truth, found)
    assert metrics.num_images == 0
    metrics.update("bad", EMPTY, EMPTY)


def test_classes_that_share_a_display_name_are_shown_by_name():
    label_map = LabelMap((Category(1, "/m/1", "Cat"), Category(2, "/m/2", "Cat")))
    assert CocoBoxMetrics(label_map).names == ("/m/1", "/m/2")


def test_curves_have_one_point_per_recall_and_do_not_rise():
    curves = metrics_of(random_images(10)).curves(0.75)
    assert set(curves) == {"class_1", "class_2", "class_5", "class_9"}
    for curve in curves.values():
        assert curve.shape == (101,)
        assert (np.diff(curve) <= 1e-12).all()
    with pytest.raises(ValueError, match=r"iou must be one of"):
        metrics_of(random_images(10)).curves(0.51)
