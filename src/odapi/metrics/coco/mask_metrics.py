"""COCO mask metrics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from odapi.geometry.masks import MaskWindow, Rle, paste_masks, run_lengths, window_rle
from odapi.metrics.coco.box_metrics import CocoBoxMetrics
from odapi.metrics.evaluator import Arrays
from odapi.wording import counted


class CocoMaskMetrics(CocoBoxMetrics):
    """The 12 COCO metrics with the IoU of masks instead of boxes.

    As `CocoBoxMetrics`, with two more inputs: groundtruth has `masks [n, h, w]` of the
    whole image, as an array or as any sequence that decodes one mask at a time;
    detections have `box_masks [m, h, w]`, masks within their boxes.

    The area of an object is that of its annotation, or without one that of its mask;
    the area of a detection is that of its mask. Objects with an empty mask cannot be
    found and count as missed.
    """

    prefix = "DetectionMasks_"
    iou_type = "segm"

    def _annotations(
        self, number: int, image_id: str, truth: Arrays
    ) -> list[dict[str, Any]]:
        annotations = super()._annotations(number, image_id, truth)
        classes = np.asarray(truth["classes"], np.int64).reshape(-1)
        masks = truth.get("masks")
        if masks is None or len(masks) != classes.size:
            raise ValueError(
                f"image {image_id!r}: mask metrics need one mask per object; there "
                f"are {0 if masks is None else len(masks)} for "
                f"{counted(classes.size, 'object')}"
            )
        size = _size(truth)
        given = truth.get("area")
        rows = np.flatnonzero(self._in_label_map(classes))
        for annotation, i in zip(annotations, rows, strict=True):
            mask = np.asarray(masks[int(i)])
            if mask.shape != size:
                raise ValueError(
                    f"image {image_id!r}: a mask is {mask.shape}, the image {size}"
                )
            annotation["segmentation"] = _image_rle(mask)
            if given is None or not np.asarray(given).reshape(-1)[i] > 0:
                annotation["area"] = float(np.count_nonzero(mask))
        return annotations

    def _whole_image(self, truth: Arrays) -> dict[str, Any]:
        size = _size(truth)
        mask = np.ones(size, np.uint8)
        return {"segmentation": _image_rle(mask), "area": float(mask.size)}

    def _results(
        self, number: int, image_id: str, truth: Arrays, detections: Arrays
    ) -> Any:
        rows = super()._results(number, image_id, truth, detections)
        masks = detections.get("box_masks")
        if masks is None:
            raise ValueError(
                f"image {image_id!r}: mask metrics need masks, which this model does "
                "not predict"
            )
        classes = np.asarray(detections["classes"], np.int64).ravel()
        keep = self._evaluated(truth, classes)
        boxes = np.asarray(detections["boxes"], np.float64).reshape(-1, 4)[keep]
        size = _size(truth)
        windows = paste_masks(np.asarray(masks)[keep], boxes, size)
        # Without a box, so that the area is that of the mask.
        return [
            {
                "image_id": number,
                "category_id": int(row[6]),
                "segmentation": window_rle(window, size),
                "score": float(row[5]),
            }
            for row, window in zip(rows, windows, strict=True)
        ]


def _size(truth: Arrays) -> tuple[int, int]:
    height, width = (int(v) for v in truth["size"])
    return height, width


def _image_rle(mask: NDArray[Any]) -> Rle:
    counts = run_lengths(MaskWindow(0, 0, mask > 0), mask.shape)
    return {"size": list(mask.shape), "counts": counts}
