"""Predictions as a dataset: a folder of images becomes one that `odapi train` reads."""

import pathlib
from collections.abc import Sequence

import numpy as np

from odapi.data.convert import Target, convert, new_dataset
from odapi.data.formats.writer import Written
from odapi.data.problems import Problems
from odapi.data.sources.base import BaseSource, MaskOf, Raw
from odapi.data.sources.files import FileSource
from odapi.draw.file import encode_image
from odapi.errors import DataError
from odapi.files import unwritable
from odapi.inference.prediction import Prediction
from odapi.labels import Category, LabelMap


def write_dataset(
    predictions: Sequence[Prediction],
    kind: str,
    folder: pathlib.Path,
    label_map: LabelMap,
) -> Written:
    """Writes images and predicted objects as a dataset; images are copied.

    Args:
        predictions: One per image; images without objects become negative examples.
        kind: "coco", "voc", "yolo" or "tfrecord".
        folder: A new or empty folder.
        label_map: The classes of the model.

    Raises:
        DataError: There is no image.
        OutputError: The folder has files, or cannot be written.
    """
    if not predictions:
        raise DataError(str(folder), "needs at least one image")
    try:
        with new_dataset(folder):
            source = predicted_source(predictions, label_map)
            return convert(source, Target(kind, folder))
    except OSError as error:
        raise unwritable(folder, error) from error


def predicted_source(
    predictions: Sequence[Prediction], label_map: LabelMap
) -> BaseSource:
    """Returns predictions as a source of samples: objects become groundtruth."""
    label_map = _complete(label_map, predictions)
    paths = [found.path for found in predictions]
    names = _ids(predictions)
    raws = [_raw(found, name) for found, name in zip(predictions, names, strict=True)]
    problems = Problems()
    keys = {key for raw in raws for key in raw.objects} - {"boxes", "classes"}
    if any(found.box_masks is not None for found in predictions):
        keys.add("masks")
    if None in paths:
        return _ArraySource(raws, predictions, label_map, problems, keys)
    entries = [
        (raw, path) for raw, path in zip(raws, paths, strict=True) if path is not None
    ]
    return FileSource("predictions", label_map, entries, problems, keys)


class _ArraySource(BaseSource):
    """Predictions on arrays, which become PNG files."""

    def __init__(
        self,
        raws: list[Raw],
        predictions: Sequence[Prediction],
        label_map: LabelMap,
        problems: Problems,
        keys: set[str],
    ):
        points = [r.objects["keypoints"].shape[1] for r in raws if "keypoints" in keys]
        super().__init__(
            "predictions", label_map, problems, keys, max(points, default=0)
        )
        self._raws, self._predictions = raws, predictions

    def __len__(self) -> int:
        return len(self._raws)

    @property
    def image_ids(self) -> list[str]:
        return [raw.image_id for raw in self._raws]

    def raw(self, index: int) -> Raw:
        return self._raws[index]

    def encoded(self, index: int) -> bytes:
        found = self._predictions[index]
        return found.path.read_bytes() if found.path else encode_image(found.image)


def _raw(found: Prediction, name: str) -> Raw:
    objects: dict[str, np.ndarray] = {
        "boxes": found.boxes.astype(np.float64),
        "classes": found.class_ids - 1,
        "confidences": found.scores,
    }
    if found.keypoints is not None:
        known = np.isfinite(found.keypoints).all(-1)
        if found.keypoint_scores is not None:
            known &= found.keypoint_scores > 0
        objects["keypoints"] = np.where(known[..., None], found.keypoints, np.nan)
        objects["keypoint_visibility"] = np.where(known, 2, 0).astype(np.int32)
    masks: list[MaskOf | None] | None = None
    if found.box_masks is not None:
        masks = [_mask_of(found, i) for i in range(len(found))]
    filename = found.path.name if found.path else f"image_{name:0>4}.png"
    return Raw(name, filename, found.size, objects, in_pixels=False, mask_of=masks)


def _mask_of(found: Prediction, index: int) -> MaskOf:
    def decode(size: tuple[int, int]) -> np.ndarray:
        (item,) = found[index]
        return np.zeros(size, np.uint8) if item.mask is None else item.mask.astype("u1")

    return decode


def _ids(predictions: Sequence[Prediction]) -> list[str]:
    """Returns the image ids, numbered from 1 where two images share one."""
    ids = [str(found.image_id) for found in predictions]
    if len(set(ids)) == len(ids):
        return ids
    return [str(i) for i in range(1, len(ids) + 1)]


def _complete(label_map: LabelMap, predictions: Sequence[Prediction]) -> LabelMap:
    """Returns the label map with a name for every class id that occurs."""
    used = {int(i) for found in predictions for i in found.class_ids}
    extra = [Category(i, f"class {i}") for i in sorted(used - label_map.by_id.keys())]
    return LabelMap((*label_map, *extra), label_map.source) if extra else label_map
