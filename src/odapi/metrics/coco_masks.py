"""COCO's mask metrics, on the native library hotcoco, by the original's names."""

from typing import Any

import numpy as np

from odapi.geometry.masks import MaskWindow, Rle, paste_masks, run_lengths, window_rle
from odapi.metrics.coco import CocoBoxMetrics
from odapi.metrics.evaluator import Arrays


class CocoMaskMetrics(CocoBoxMetrics):
    """The 12 COCO metrics with the overlap of masks instead of boxes.

    As `CocoBoxMetrics`, and moreover: groundtruth has `masks [n, h, w]` of the whole
    image, an array or any sequence that makes one at a time; detections have
    `box_masks [m, h, w]`, masks of their boxes. An object is as large as its area
    says, or where there is none its mask; a detection as large as its mask. Objects
    whose mask is empty cannot be found, and count.
    """

    prefix = "DetectionMasks_"
    iou_type = "segm"

    def _annotations(self, number: int, image_id: str, truth: Arrays) -> list[dict]:
        annotations = super()._annotations(number, image_id, truth)
        classes = np.asarray(truth["classes"], np.int64).reshape(-1)
        masks = truth.get("masks")
        if masks is None or len(masks) != classes.size:
            raise ValueError(
                f"image {image_id!r}: mask metrics need a mask of each object; there "
                f"are {0 if masks is None else len(masks)} for {classes.size} objects"
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
            annotation["segmentation"] = _whole(mask)
            if given is None or not np.asarray(given).reshape(-1)[i] > 0:
                annotation["area"] = float(np.count_nonzero(mask))
        return annotations

    def _found(
        self, number: int, image_id: str, truth: Arrays, detections: Arrays
    ) -> Any:
        rows = super()._found(number, image_id, truth, detections)
        masks = detections.get("box_masks")
        if masks is None:
            raise ValueError(
                f"image {image_id!r}: mask metrics need masks, the model finds none"
            )
        keep = self._kept(truth, np.asarray(detections["classes"], np.int64).ravel())
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


def _whole(mask: np.ndarray) -> Rle:
    counts = run_lengths(MaskWindow(0, 0, mask > 0), mask.shape)
    return {"size": list(mask.shape), "counts": counts}
