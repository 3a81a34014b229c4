"""The result object: the objects detected in one image."""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from odapi.data.image.decode import decode_image
from odapi.draw.file import save_image
from odapi.draw.image import Style, draw_objects, enlarged
from odapi.errors import DataError, MissingPackageError
from odapi.geometry.masks import paste_masks, paste_window
from odapi.inference.result_files import coco_results
from odapi.labels import LabelMap
from odapi.outputs.file import check_new_file
from odapi.outputs.image_mark import is_marked
from odapi.wording import counted

if TYPE_CHECKING:
    import pandas
    import supervision

# Arrays with one row per object: trailing shape (None: any) and dtype.
_ARRAYS: dict[str, tuple[tuple[int | None, ...], Any]] = {
    "boxes": ((4,), np.float32),
    "scores": ((), np.float32),
    "class_ids": ((), np.int32),
    "box_masks": ((None, None), None),
    "keypoints": ((None, 2), np.float32),
    "keypoint_scores": ((None,), np.float32),
    "keypoint_depths": ((None,), np.float32),
}
OPTIONAL = ("box_masks", "keypoints", "keypoint_scores", "keypoint_depths")
_MAX_CLASSES_IN_REPR = 3
_NO_CLASSES = LabelMap(())


@dataclasses.dataclass(frozen=True)
class DetectedObject:
    """One detected object.

    Args:
        box: `[4]` float32, normalized `[y_min, x_min, y_max, x_max]`.
        xyxy: `[4]` float32, `[x_min, y_min, x_max, y_max]` in pixels.
        score: Between 0 and 1.
        class_id: Id in the label map, 1 or higher.
        label: Name of the class.
        mask: `[h, w]` bool on the whole image, or None.
        keypoints: `[k, 2]` float32, normalized `(y, x)`, or None.
        keypoint_scores: `[k]` float32, or None.
    """

    box: np.ndarray
    xyxy: np.ndarray
    score: float
    class_id: int
    label: str
    mask: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    keypoint_scores: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The objects detected in one image, best score first.

        found = detector.predict("street.jpg")[0]
        len(found)                    # number of objects
        found[found.scores > 0.8]     # a Prediction with the objects above 0.8
        for item in found: print(item.label, item.score, item.xyxy)

    An int, a slice, a boolean mask or an array of indices selects objects; the result
    is a `Prediction` again. Iterating yields `DetectedObject`s.

    Args:
        image_id: Id of the image in result files.
        size: (height, width) of the image in pixels.
        boxes: `[n, 4]` float32, normalized `[y_min, x_min, y_max, x_max]`.
        scores: `[n]` float32.
        class_ids: `[n]` int32, ids of the label map, as in JSON files and SavedModels.
        label_map: The classes of the model.
        path: The image file; None for an image that was given as an array.
        box_masks: `[n, h, w]`, masks within their boxes; see `masks`.
        keypoints: `[n, k, 2]` float32, normalized `(y, x)`, by keypoint id.
        keypoint_scores: `[n, k]` float32; 0 for keypoints of other classes.
        keypoint_depths: `[n, k]` float32.
        keypoint_edges: Pairs of keypoint ids that `plot` connects.
        pixels: The image, if it is in memory; see `image`.
        num_channels: Channels of the image in its file.

    Raises:
        ValueError: An array has the wrong shape.
    """

    image_id: int | str
    size: tuple[int, int]
    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray
    label_map: LabelMap = _NO_CLASSES
    path: pathlib.Path | None = None
    box_masks: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    keypoint_scores: np.ndarray | None = None
    keypoint_depths: np.ndarray | None = None
    keypoint_edges: tuple[tuple[int, int], ...] = ()
    pixels: np.ndarray | None = None
    num_channels: int = 3

    def __post_init__(self) -> None:
        for name, (shape, dtype) in _ARRAYS.items():
            value = getattr(self, name)
            if value is None and name in OPTIONAL:
                continue
            value = np.asarray(value, dtype)
            if not value.size and value.ndim < 2:
                value = value.reshape(0, *(side or 0 for side in shape))
            object.__setattr__(self, name, value)
            _check_shape(name, value, (len(np.atleast_1d(self.scores)), *shape))
        object.__setattr__(self, "size", (int(self.size[0]), int(self.size[1])))

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[DetectedObject]:
        for i, label in enumerate(self.labels):
            yield DetectedObject(
                box=self.boxes[i],
                xyxy=self.xyxy[i],
                score=float(self.scores[i]),
                class_id=int(self.class_ids[i]),
                label=label,
                mask=self._mask(i),
                keypoints=_row(self.keypoints, i),
                keypoint_scores=_row(self.keypoint_scores, i),
            )

    def __getitem__(self, index: Any) -> "Prediction":
        """Returns the selected objects: an int, slice, boolean mask or index array."""
        rows: Any = index
        if not isinstance(index, slice):
            rows = np.atleast_1d(np.asarray(index))
            if rows.dtype != bool and rows.size == 0:
                rows = rows.astype(int)
            if rows.ndim != 1 or rows.dtype.kind not in "biu":
                raise TypeError(
                    "objects are selected by an int, a slice, a boolean mask or an "
                    f"array of indices, got {index!r}"
                )
            if rows.dtype == bool and np.ndim(index) == 0:
                raise TypeError(
                    f"one bool is not a mask of {counted(len(self), 'object')}"
                )
        chosen = {
            name: value[rows]
            for name in _ARRAYS
            if (value := getattr(self, name)) is not None
        }
        return dataclasses.replace(self, **chosen)

    def __eq__(self, other: object) -> bool:
        """Returns whether image, size, classes and all arrays are equal."""
        if not isinstance(other, Prediction):
            return NotImplemented
        same = (self.image_id, self.size, self.path, self.labels) == (
            other.image_id, other.size, other.path, other.labels
        )  # fmt: skip
        return same and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            if getattr(self, name) is not None and getattr(other, name) is not None
            else getattr(self, name) is getattr(other, name)
            for name in _ARRAYS
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        height, width = self.size
        name = self.path.name if self.path else f"image {self.image_id}"
        objects = self.summary(_MAX_CLASSES_IN_REPR)
        return f"<Prediction {name}, {width}x{height}: {objects}>"

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes, one per object."""
        return tuple(self.label_map.label(i - 1) for i in self.class_ids)

    @property
    def xyxy(self) -> np.ndarray:
        """Boxes `[n, 4]` float32 as `[x_min, y_min, x_max, y_max]` in pixels."""
        height, width = self.size
        scale = np.array([width, height, width, height], np.float32)
        return self.boxes[:, [1, 0, 3, 2]] * scale

    @property
    def masks(self) -> np.ndarray | None:
        """Masks `[n, height, width]` bool of the whole image; None without masks.

        Computed at every access: iterate over the objects of large images instead.
        """
        if self.box_masks is None:
            return None
        masks = [self._mask(i) for i in range(len(self))]
        return np.array(masks, bool).reshape(len(self), *self.size)

    @property
    def keypoints_xy(self) -> np.ndarray | None:
        """Keypoints `[n, k, 2]` float32 as `(x, y)` in pixels; None without any."""
        if self.keypoints is None:
            return None
        height, width = self.size
        return self.keypoints[..., ::-1] * np.array([width, height], np.float32)

    @property
    def image(self) -> np.ndarray:
        """The image, `[h, w, 3]` uint8 RGB; read from its file when needed.

        Additional channels are left out.

        Raises:
            DataError: The file cannot be read any more.
        """
        if self.pixels is not None:
            return self.pixels[..., :3]
        if self.path is None:
            raise DataError(f"image {self.image_id}", "is not kept, and has no file")
        try:
            data, place = self.path.read_bytes(), str(self.path)
            return decode_image(data, place, channels=self.num_channels)[..., :3]
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataError(str(self.path), f"cannot be read: {reason}") from error

    def summary(self, max_classes: int | None = None) -> str:
        """Returns the number and best score per class: "2 dog 0.93, 1 cat 0.71".

        Args:
            max_classes: Classes to list; None: all.
        """
        best: dict[str, list[float]] = {}
        for label, score in zip(self.labels, self.scores, strict=True):
            best.setdefault(label, []).append(float(score))
        parts = [f"{len(s)} {label} {max(s):.2f}" for label, s in best.items()]
        if max_classes is not None and len(parts) > max_classes:
            more = len(parts) - max_classes
            parts = [*parts[:max_classes], f"{more} more class{'es' * (more > 1)}"]
        return ", ".join(parts) or "no objects"

    def arrays(self) -> dict[str, Any]:
        """Returns the arrays by the names of a sample; `classes` count from 0."""
        found = {"boxes": self.boxes, "classes": self.class_ids - 1}
        found["scores"] = self.scores
        return found | {k: v for k in OPTIONAL if (v := getattr(self, k)) is not None}

    def plot(self, min_side: int = 480) -> np.ndarray:
        """Returns the image with the objects drawn on it, `[h, w, 3]` uint8 RGB.

        Args:
            min_side: Smaller images are enlarged a whole number of times until their
                short side has so many pixels, so that labels can be read; 0 keeps
                the size.
        """
        image = enlarged(self.image, min_side) if min_side else self.image
        style = Style(edges=self.keypoint_edges)
        return draw_objects(image, self.arrays(), self.label_map, style=style)

    def save(self, path: str | pathlib.Path) -> pathlib.Path:
        """Writes `plot()` to an image file, such as "found.jpg", and returns its path.

        JPEG and PNG files of an earlier call are replaced.

        Raises:
            DataError: The suffix is unknown, or the file cannot be written.
            OutputError: There is a file that odapi did not write, such as the image
                itself.
        """
        return save_image(check_new_file(path, self.may_replace), self.plot())

    def may_replace(self, file: pathlib.Path) -> bool:
        """Returns whether `save` may replace a file: a drawing, but not its image."""
        source = self.path
        is_source = source is not None and source.exists() and file.samefile(source)
        return is_marked(file) and not is_source

    def crop(self, margin: float = 0.0) -> list[np.ndarray]:
        """Returns the part of the image within each box, `[h, w, 3]` uint8 each.

        Args:
            margin: Added on every side, as a fraction of the box.
        """
        image, crops = self.image, []
        height, width = self.size
        for x_min, y_min, x_max, y_max in self.xyxy.astype(float):
            x_pad, y_pad = margin * (x_max - x_min), margin * (y_max - y_min)
            top = int(np.clip(np.floor(y_min - y_pad), 0, height - 1))
            left = int(np.clip(np.floor(x_min - x_pad), 0, width - 1))
            bottom = int(np.clip(np.ceil(y_max + y_pad), top + 1, height))
            right = int(np.clip(np.ceil(x_max + x_pad), left + 1, width))
            crops.append(image[top:bottom, left:right].copy())
        return crops

    def to_coco(self) -> list[dict[str, Any]]:
        """Returns one dict per object in the results format of COCO."""
        return coco_results(self.image_id, self.arrays(), self.size, self.label_map)

    def to_pandas(self) -> "pandas.DataFrame":
        """Returns a table with one row per object; boxes are in pixels.

        Raises:
            MissingPackageError: pandas is not installed.
        """
        pandas = _optional("pandas", "Prediction.to_pandas")
        table = {
            "image_id": [self.image_id] * len(self),
            "path": [None if self.path is None else str(self.path)] * len(self),
            "class_id": self.class_ids,
            "label": list(self.labels),
            "score": self.scores,
        }
        for name, values in zip(
            ("x_min", "y_min", "x_max", "y_max"), self.xyxy.T, strict=True
        ):
            table[name] = values
        return pandas.DataFrame(table)

    def to_supervision(self) -> "supervision.Detections":
        """Returns an `sv.Detections`; `class_id` holds ids of the label map.

        Raises:
            MissingPackageError: supervision is not installed.
        """
        supervision = _optional("supervision", "Prediction.to_supervision")
        return supervision.Detections(
            xyxy=self.xyxy,
            mask=self.masks,
            confidence=self.scores,
            class_id=self.class_ids.astype(int),
            data={"class_name": np.array(self.labels, dtype=str)},
        )

    def without_pixels(self) -> "Prediction":
        """Returns the prediction without the image, if its file can be read again."""
        if self.path is None or self.pixels is None:
            return self
        return dataclasses.replace(self, pixels=None)

    def _mask(self, i: int) -> np.ndarray | None:
        if self.box_masks is None:
            return None
        window = next(
            paste_masks(self.box_masks[i : i + 1], self.boxes[i : i + 1], self.size)
        )
        return paste_window(window, self.size).astype(bool)


def _row(values: np.ndarray | None, i: int) -> np.ndarray | None:
    return None if values is None else values[i]


def _check_shape(
    name: str, value: np.ndarray, expected: tuple[int | None, ...]
) -> None:
    fits = value.ndim == len(expected) and all(
        want in (None, side) for side, want in zip(value.shape, expected, strict=True)
    )
    if not fits:
        shape = ", ".join("any" if side is None else str(side) for side in expected)
        raise ValueError(f"{name} must have the shape [{shape}], got {value.shape}")


def _optional(package: str, feature: str) -> Any:
    import importlib

    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise MissingPackageError(feature, package, package) from error
