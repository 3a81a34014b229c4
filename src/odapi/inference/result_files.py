"""Detections as COCO results: a JSON list with one dict per object."""

import contextlib
import json
import pathlib
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np

from odapi.files import Pathlike, atomic_open, read_json_object, unwritable
from odapi.geometry.masks import paste_masks, window_rle
from odapi.labels import LabelMap
from odapi.metrics.pixel_boxes import xywh_px
from odapi.outputs.file import check_new_file
from odapi.outputs.marker import signature
from odapi.outputs.writable import refused_paths

_DECIMALS = 3  # Of boxes, in pixels.


def coco_results(
    image_id: Any,
    detections: Mapping[str, Any],
    size: Any,
    label_map: LabelMap | None = None,
) -> list[dict[str, Any]]:
    """Returns the detections of one image in COCO's results format.

    Args:
        image_id: Id of the image in the annotation file.
        detections: `boxes [n, 4]` normalized, `classes [n]` from 0, `scores [n]`;
            optionally `box_masks [n, h, w]`, written as RLE, and
            `keypoints [n, k, 2]` with `keypoint_scores [n, k]`.
        size: (height, width) of the image in pixels.
        label_map: Selects the keypoints of each class; None: all are written.

    >>> found = {"boxes": [[0, 0.5, 1, 1]], "classes": [2], "scores": [0.25]}
    >>> coco_results(7, found, (10, 20))
    [{'image_id': 7, 'category_id': 3, 'bbox': [10.0, 0.0, 10.0, 10.0], 'score': 0.25}]
    """
    boxes = np.round(xywh_px(detections["boxes"], size), _DECIMALS)
    # Neighboring float32 values differ in the seventh digit: nothing is lost.
    scores = [float(f"{float(s):.7g}") for s in detections["scores"]]
    rows = [
        {
            "image_id": image_id,
            "category_id": int(index) + 1,
            "bbox": box,
            "score": score,
        }
        for box, index, score in zip(
            boxes.tolist(), detections["classes"], scores, strict=True
        )
    ]
    masks = detections.get("box_masks")
    if masks is not None:
        image = (int(size[0]), int(size[1]))
        windows = paste_masks(masks, detections["boxes"], image)
        for row, window in zip(rows, windows, strict=True):
            row["segmentation"] = window_rle(window, image)
    if detections.get("keypoints") is not None:
        for i, row in enumerate(rows):
            category = label_map.by_id.get(row["category_id"]) if label_map else None
            ids = [k.id for k in category.keypoints] if category else None
            if ids or ids is None:
                row["keypoints"] = _keypoints(detections, i, ids, size)
    return rows


def _keypoints(
    detections: Mapping[str, Any], i: int, ids: list[int] | None, size: Any
) -> list[float]:
    """Returns x, y and score of each keypoint of an object."""
    points = np.asarray(detections["keypoints"][i], np.float64)
    scores = detections.get("keypoint_scores")
    known = np.ones(len(points)) if scores is None else np.asarray(scores[i])
    if ids is not None:
        points, known = points[ids], known[ids]
    yx = np.round(points * np.asarray(size, np.float64), _DECIMALS)
    values = np.column_stack([yx[:, 1], yx[:, 0], np.round(known.astype(float), 4)])
    return values.reshape(-1).tolist()


def images_file(results: Pathlike) -> pathlib.Path:
    """Returns the file beside COCO results that names images and classes."""
    return pathlib.Path(results).with_suffix(".images.json")


def check_results_file(results: Pathlike) -> pathlib.Path:
    """Checks that COCO results can be written; those of odapi may be replaced.

    Raises:
        OutputError: The file or that beside it is not of odapi, was changed since, or
            cannot be written.
    """
    with refused_paths(results):
        about = read_json_object(images_file(results))
    is_ours = about.keys() >= {"images", "categories", "skipped"}
    written = about.get("results")  # Missing in files of older versions.

    def is_unchanged(path: pathlib.Path) -> bool:
        return is_ours and (written is None or written == results_facts(path))

    check_new_file(images_file(results), lambda path: is_ours)
    return check_new_file(results, is_unchanged)


def results_facts(results: pathlib.Path) -> dict[str, Any]:
    """Returns name, size and checksum of a file, by which it is recognized later."""
    size, checksum = signature(results)
    return {"file": results.name, "bytes": size, "crc32": checksum}


class ResultsWriter:
    """Writes COCO results JSON image by image, with constant memory.

    The file appears under its name when it is complete.

        with ResultsWriter("detections.json") as writer:
            writer.add(139, detections, (480, 640))

    Args:
        path: The file.
        min_score: Detections with a lower score are left out.
        label_map: Selects the keypoints of each class.

    Raises:
        DataError: The file cannot be written.
    """

    def __init__(
        self,
        path: Pathlike,
        min_score: float = 0.0,
        label_map: LabelMap | None = None,
    ):
        self.path = pathlib.Path(path)
        self.label_map = label_map
        self.min_score = min_score
        self.num_detections = 0
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        try:
            self._file = self._open.enter_context(atomic_open(self.path, "w"))
        except OSError as error:
            raise unwritable(self.path, error) from error
        self._file.write("[")
        return self

    def add(
        self, image_id: int | str, detections: Mapping[str, Any], size: Any
    ) -> None:
        """Writes the detections of an image; `size` is (height, width) in pixels."""
        for row in coco_results(image_id, detections, size, self.label_map):
            if row["score"] < self.min_score:
                continue
            self._file.write(",\n " if self.num_detections else "\n ")
            self._file.write(json.dumps(row, ensure_ascii=False))
            self.num_detections += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._file.write("\n]\n")
            self._open.__exit__(kind, error, trace)
        except OSError as problem:
            raise unwritable(self.path, problem) from problem


def categories_of(label_map: LabelMap) -> list[dict[str, Any]]:
    """Returns the classes as the `categories` of a COCO file."""
    return [
        {"id": c.id, "name": c.label}
        | ({"keypoints": [k.name for k in c.keypoints]} if c.keypoints else {})
        for c in label_map
    ]
