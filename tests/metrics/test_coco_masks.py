"""COCO mask metrics compared with pycocotools, and edge cases."""

import contextlib
import io

import numpy as np
import pytest

from odapi.geometry.masks import paste_masks, paste_window
from odapi.labels import label_map_of
from odapi.metrics.coco.box_metrics import CocoBoxMetrics
from odapi.metrics.coco.mask_metrics import CocoMaskMetrics
from odapi.metrics.collection import MetricCollection
from requirement import require

LABEL_MAP = label_map_of(["cat", "dog"])


def image(rng, size, count, with_area):
    low = rng.uniform(0, 0.6, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.1, 0.4, (count, 2))], -1)
    boxes = boxes.astype("float32")
    shapes = (rng.random((count, 6, 6)) < 0.7).astype("float32")
    windows = paste_masks(shapes, boxes, size)
    truth = {
        "boxes": boxes,
        "classes": rng.integers(0, 2, count),
        "size": size,
        "masks": np.stack([paste_window(w, size) for w in windows]),
        "is_crowd": rng.random(count) < 0.15,
    }
    if with_area:
        truth["area"] = rng.uniform(0, 3000, count).astype("float32")
    moved = boxes + rng.normal(0, 0.01, boxes.shape).astype("float32")
    found = {
        "boxes": moved,
        "classes": truth["classes"],
        "scores": np.round(rng.random(count), 1).astype("float32"),
        "box_masks": np.clip(shapes + rng.normal(0, 0.3, shapes.shape), 0, 1),
    }
    return truth, found


def oracle(images):
    coco = require("pycocotools.coco")
    cocoeval = require("pycocotools.cocoeval")
    rle = require("pycocotools.mask")
    annotations, results = [], []
    for n, (truth, found) in enumerate(images, 1):
        for i, mask in enumerate(truth["masks"]):
            area = truth["area"][i] if "area" in truth else mask.sum()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": n,
                    "category_id": int(truth["classes"][i]) + 1,
                    "segmentation": rle.encode(np.asfortranarray(mask)),
                    "area": float(area),
                    "iscrowd": int(truth["is_crowd"][i]),
                }
            )
        windows = paste_masks(found["box_masks"], found["boxes"], truth["size"])
        for i, window in enumerate(windows):
            mask = np.asfortranarray(paste_window(window, truth["size"]))
            results.append(
                {
                    "image_id": n,
                    "category_id": int(found["classes"][i]) + 1,
                    "segmentation": rle.encode(mask),
                    "score": float(found["scores"][i]),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        truth_set = coco.COCO()
        truth_set.dataset = {
            "images": [
                {"id": n, "height": truth["size"][0], "width": truth["size"][1]}
                for n, (truth, _) in enumerate(images, 1)
            ],
            "annotations": annotations,
            "categories": [{"id": 1}, {"id": 2}],
        }
        truth_set.createIndex()
        evaluation = cocoeval.COCOeval(truth_set, truth_set.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("with_area", [False, True])
def test_all_twelve_are_those_of_pycocotools(with_area):
    rng = np.random.default_rng(3)
    sizes = [(60, 80), (200, 150), (120, 300)] * 4
    images = [image(rng, s, int(rng.integers(1, 7)), with_area) for s in sizes]
    metrics = CocoMaskMetrics(LABEL_MAP)
    for n, (truth, found) in enumerate(images):
        metrics.update(f"{n}", truth, found)
    values = metrics.compute()
    assert list(values)[:2] == [
        "DetectionMasks_Precision/mAP",
        "DetectionMasks_Precision/mAP@.50IOU",
    ]
    np.testing.assert_allclose(list(values.values()), oracle(images), atol=1e-9)
    assert 0.1 < values["DetectionMasks_Precision/mAP@.50IOU"] < 1


BOX = np.array([[0.0, 0.0, 1.0, 1.0]], "float32")
# The left half of a 10 x 10 image.
HALF = np.zeros((1, 10, 10), "uint8")
HALF[:, :, :5] = 1


@pytest.mark.parametrize(
    ("box_masks", "ap50"),
    [
        (HALF.astype("float32"), 1.0),
        (1 - HALF.astype("float32"), 0.0),  # The box is right, the mask is not.
        (np.zeros((1, 2, 2), "float32"), 0.0),
    ],
)
def test_masks_decide_not_boxes(box_masks, ap50):
    metrics = MetricCollection([CocoBoxMetrics(LABEL_MAP), CocoMaskMetrics(LABEL_MAP)])
    found = {"boxes": BOX, "classes": [0], "scores": [0.9], "box_masks": box_masks}
    truth = {"boxes": BOX, "classes": [0], "size": (10, 10), "masks": HALF}
    metrics.update("a", truth, found)
    values = metrics.compute()
    assert len(values) == 24
    assert values["DetectionBoxes_Precision/mAP@.50IOU"] == pytest.approx(1)
    assert values["DetectionMasks_Precision/mAP@.50IOU"] == pytest.approx(ap50)
    assert "DetectionMasks_Precision/mAP (large)" in metrics.explain()


@pytest.mark.parametrize(
    ("truth", "found", "message"),
    [
        ({}, {"box_masks": HALF}, "need one mask per object; there are 0 for 1"),
        ({"masks": HALF[:0]}, {"box_masks": HALF}, "there are 0 for 1"),
        ({"masks": HALF[:, :9]}, {"box_masks": HALF}, r"a mask is \(9, 10\)"),
        ({"masks": HALF}, {}, "this model does not predict"),
    ],
)
def test_without_masks_nothing_is_measured(truth, found, message):
    rows = {"boxes": BOX, "classes": [0]}
    metrics = CocoMaskMetrics(LABEL_MAP)
    with pytest.raises(ValueError, match=message):
        metrics.update(
            "a", {**rows, "size": (10, 10), **truth}, {**rows, "scores": [1.0], **found}
        )


def test_two_evaluators_with_the_same_metrics_are_refused():
    with pytest.raises(ValueError, match="the same metric"):
        MetricCollection([CocoBoxMetrics(LABEL_MAP), CocoBoxMetrics(LABEL_MAP)])
    with pytest.raises(ValueError, match="at least one"):
        MetricCollection([])
    with pytest.raises(TypeError, match="list is not an evaluator; inherit from"):
        MetricCollection([CocoBoxMetrics(LABEL_MAP), []])


@pytest.mark.parametrize(("partial", "expected"), [([], 0.5), ([0], 1.0)])
def test_masks_of_classes_that_are_annotated_in_part(partial, expected):
    masks = np.zeros((1, 100, 100), np.uint8)
    masks[0, 10:50, 10:50] = 1
    truth = {
        "boxes": [[0.1, 0.1, 0.5, 0.5]],
        "classes": [0],
        "size": (100, 100),
        "masks": masks,
        "not_exhaustive_classes": partial,
    }
    found = {
        "boxes": np.array([[0.6, 0.6, 0.9, 0.9], [0.1, 0.1, 0.5, 0.5]]),
        "classes": [0, 0],
        "scores": [0.9, 0.8],
        "box_masks": np.ones((2, 6, 6), np.float32),
    }
    metrics = CocoMaskMetrics(LABEL_MAP, skip_predictions_for_unlabeled_class=True)
    metrics.update("a", truth, found)
    assert metrics.compute()["DetectionMasks_Precision/mAP"] == pytest.approx(expected)
