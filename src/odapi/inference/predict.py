"""`odapi.predict`: a trained detector on images."""

import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from odapi.draw.file import save_image
from odapi.draw.image import Style, draw_objects, enlarged
from odapi.errors import DataError
from odapi.files import write_json
from odapi.geometry.masks import paste_masks, paste_window
from odapi.inference.image_files import ReadImage, find_images, read_images
from odapi.inference.predictor import Predictor
from odapi.inference.result_files import (
    ResultsWriter,
    categories_of,
    coco_results,
)
from odapi.labels import LabelMap
from odapi.progress import track

# What not every model finds.
_OPTIONAL = ("box_masks", "keypoints", "keypoint_scores", "keypoint_depths")
_FORMAT_LOSSLESS = {".png", ".bmp", ".gif"}


class Prediction(NamedTuple):
    """What was found in one image.

    The arrays are in the same order, best score first.
    """

    # As in the results JSON: the file's name where all are numbers, as in COCO, else
    # counted from 1.
    image_id: int
    path: pathlib.Path | None  # None: given as an array.
    size: tuple[int, int]  # (height, width) in pixels
    boxes: np.ndarray  # [n, 4] float32, normalised [y_min, x_min, y_max, x_max]
    classes: np.ndarray  # [n] int32, from 0
    scores: np.ndarray  # [n] float32
    labels: tuple[str, ...]  # Names of the classes.
    box_masks: np.ndarray | None = None  # [n, h, w] float32: masks of the boxes
    # [n, k, 2] float32, normalised (y, x), by the ids of the label map
    keypoints: np.ndarray | None = None
    keypoint_scores: np.ndarray | None = None  # [n, k] float32; 0: not of the class
    keypoint_depths: np.ndarray | None = None  # [n, k] float32

    @property
    def boxes_px(self) -> np.ndarray:
        """The boxes `[n, 4]` in pixels."""
        return self.boxes * np.tile(np.array(self.size, np.float32), 2)

    @property
    def objects(self) -> dict[str, np.ndarray]:
        """The arrays by name, those that there are."""
        names = ("boxes", "classes", "scores", *_OPTIONAL)
        return {k: v for k in names if (v := getattr(self, k)) is not None}

    def mask(self, index: int) -> np.ndarray:
        """Returns the mask of an object on the image, `[height, width]` uint8.

        Raises:
            ValueError: The model finds no masks.
        """
        if self.box_masks is None:
            raise ValueError("the model finds no masks")
        at = slice(index, index + 1) if index >= 0 else [index]
        (window,) = paste_masks(self.box_masks[at], self.boxes[at], self.size)
        return paste_window(window, self.size)

    def coco(self) -> list[dict[str, Any]]:
        """The rows of this image in COCO's results format."""
        return coco_results(self.image_id, self.objects, self.size)

    @property
    def keypoints_px(self) -> np.ndarray:
        """The keypoints `[n, k, 2]` in pixels.

        Raises:
            ValueError: The model finds none.
        """
        if self.keypoints is None:
            raise ValueError("the model finds no keypoints")
        return self.keypoints * np.array(self.size, np.float32)


class Predictions(list[Prediction]):
    """What was found in each image that could be read.

    Attributes:
        skipped: Reason by file, of each image that could not be read.
        files: What was written.
        best_score: Of all objects, those below `min_score` included.
    """

    def __init__(self, rows: Iterable[Prediction] = ()):
        super().__init__(rows)
        self.skipped: dict[str, str] = {}
        self.files: list[pathlib.Path] = []
        self.best_score = 0.0


def predict(
    checkpoint: str | os.PathLike | Predictor,
    images: str | os.PathLike | np.ndarray | Sequence[Any],
    *,
    output: str | os.PathLike | None = None,
    min_score: float = 0.5,
    batch_size: int = 8,
    draw: bool = True,
    json_file: str | os.PathLike | None = None,
    overrides: Sequence[str] = (),
    context: str | os.PathLike | np.ndarray | None = None,
) -> Predictions:
    """Finds objects in images.

        for found in odapi.predict("runs/first", "photos/"):
            print(found.path, found.labels, found.boxes_px)

    Args:
        checkpoint: A model_dir, a checkpoint folder, a folder made by
            `odapi export` (its weights), or a `Predictor`, such as the
            `SavedModelPredictor` of `odapi.exporters.saved_model.saved_model`.
        images: Files, folders, globs, or arrays `[h, w, 3]` uint8 RGB.
        output: Folder for drawn images and `detections.json`; None writes none.
        min_score: Objects with a lower score are left out everywhere.
        batch_size: Images that the detector sees at once.
        draw: Whether to draw, where there is an `output`.
        json_file: Where to write COCO results; None: into `output`. Beside it,
            `<name>.images.json` gives the file of each image_id.
        overrides: Of the checkpoint's config.
        context: The memory bank `[n, d]` of a Context R-CNN, the same for all images,
            or a .npy file that holds it; None: an empty one.

    Raises:
        CheckpointError: There is no checkpoint, or it does not fit its config.
        DataError: A name means no file, no image could be read, or a result
            cannot be written.
    """
    if not 0 <= min_score <= 1:
        raise DataError("min_score", f"must be from 0 to 1, got {min_score}")
    if batch_size < 1:
        raise DataError("batch_size", f"must be 1 or more, got {batch_size}")
    given, total, ids = _given(images)
    predictor = _predictor(checkpoint, overrides, min(batch_size, total))
    if context is not None:
        _attend(predictor, context)
    folder = None if output is None else pathlib.Path(output)
    if json_file is None and folder is not None:
        json_file = folder / "detections.json"
    edges = getattr(predictor, "keypoint_edges", ())
    drawn = _Drawn(folder, edges) if folder is not None and draw else None
    found = Predictions()
    shown = track(given, "predicting", total)
    for rows in _chunks(_readable(shown, found.skipped), batch_size):
        detections = predictor([np.asarray(row.image) for row in rows])
        for row, objects in zip(rows, detections, strict=True):
            image_id = ids.get(row.path, len(found) + 1)
            prediction = _prediction(
                image_id, row, objects, min_score, predictor.label_map
            )
            found.append(prediction)
            best = float(np.max(objects["scores"], initial=0.0))
            found.best_score = max(found.best_score, best)
            if drawn is not None:
                drawn.save(row, prediction, predictor.label_map, found.files)
    if not found:
        name, reason = next(iter(found.skipped.items()))
        raise DataError(
            name, f"{reason}; none of {len(found.skipped)} images could be read"
        )
    if json_file is not None:
        found.files += _write_json(pathlib.Path(json_file), found, predictor.label_map)
    return found


def _predictor(checkpoint: Any, overrides: Sequence[str], batch_size: int) -> Predictor:
    if not isinstance(checkpoint, str | os.PathLike):
        return checkpoint
    from odapi.inference.detector_predictor import load_predictor

    return load_predictor(checkpoint, overrides, batch_size)


def _attend(predictor: Any, context: Any) -> None:
    if not hasattr(predictor, "attend"):
        raise DataError("context", "is given, but the model attends to nothing")
    predictor.attend(context)


def _given(
    images: Any,
) -> tuple[Iterable[ReadImage], int, dict[pathlib.Path, int]]:
    """The images to look at, read as they are needed, their number, and ids."""
    if isinstance(images, np.ndarray):
        images = [images] if images.ndim == 3 else list(images)
    if isinstance(images, str | os.PathLike):
        images = [images]
    arrays = [i for i in images if isinstance(i, np.ndarray)]
    if arrays and len(arrays) < len(images):
        raise DataError("images", "are partly arrays, partly names; give one kind")
    if arrays:
        rows = [ReadImage(pathlib.Path(), _checked(a)) for a in arrays]
        return rows, len(arrays), {}
    paths = find_images(os.fspath(i) for i in images)
    return read_images(paths), len(paths), _numbers(paths)


def _numbers(paths: list[pathlib.Path]) -> dict[pathlib.Path, int]:
    """Numbers that are the names of the files; none if one is no number or twice."""
    numbers = {p: int(p.stem) for p in paths if p.stem.isdecimal()}
    return numbers if len(set(numbers.values())) == len(paths) else {}


def _checked(image: np.ndarray) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise DataError(
            "images",
            f"an array is [h, w, 3] uint8 RGB, got {image.dtype} {image.shape}",
        )
    return image


def _readable(
    rows: Iterable[ReadImage], skipped: dict[str, str]
) -> Iterator[ReadImage]:
    for row in rows:
        if row.image is None:
            skipped[str(row.path)] = row.problem
        else:
            yield row


def _chunks(rows: Iterator[ReadImage], size: int) -> Iterator[list[ReadImage]]:
    while chunk := list(itertools.islice(rows, size)):
        yield chunk


def _prediction(
    image_id: int,
    row: ReadImage,
    objects: dict[str, Any],
    min_score: float,
    label_map: LabelMap,
) -> Prediction:
    scores = np.asarray(objects["scores"], np.float32)
    boxes = np.asarray(objects["boxes"], np.float32).reshape(-1, 4)
    finite = np.isfinite(boxes).all(axis=-1)
    keep = np.flatnonzero((scores >= min_score) & (scores > 0) & finite)
    keep = keep[np.argsort(-scores[keep], kind="stable")]
    classes = np.asarray(objects["classes"], np.int32)[keep]
    if row.image is None:
        raise ValueError(f"{row.path} was not read")
    return Prediction(
        image_id=image_id,
        path=row.path if row.path.name else None,
        size=(row.image.shape[0], row.image.shape[1]),
        boxes=boxes[keep],
        classes=classes,
        scores=scores[keep],
        labels=tuple(label_map.label(c) for c in classes),
        **{k: np.asarray(objects[k])[keep] for k in _OPTIONAL if k in objects},
    )


class _Drawn:
    """Drawn images in a folder, each under its own name."""

    def __init__(self, folder: pathlib.Path, edges: tuple[tuple[int, int], ...] = ()):
        self.folder = folder
        self.style = Style(edges=edges)
        self.names: set[str] = set()

    def save(
        self,
        row: ReadImage,
        prediction: Prediction,
        label_map: LabelMap,
        files: list[pathlib.Path],
    ) -> None:
        ending = ".png" if row.path.suffix.lower() in _FORMAT_LOSSLESS else ".jpg"
        stem = row.path.stem or f"image_{prediction.image_id:04d}"
        name = f"{stem}{ending}"
        if name in self.names:  # Of another folder, or with another ending.
            name = f"{stem}_{prediction.image_id:04d}{ending}"
        self.names.add(name)
        image = enlarged(np.asarray(row.image))
        image = draw_objects(image, prediction.objects, label_map, style=self.style)
        files.append(save_image(self.folder / "images" / name, image))


def _write_json(
    path: pathlib.Path, found: Predictions, label_map: LabelMap
) -> list[pathlib.Path]:
    with ResultsWriter(path, label_map=label_map) as writer:
        for row in found:
            writer.add(str(row.image_id), row.objects, row.size)
    images = [
        {
            "id": row.image_id,
            "file_name": "" if row.path is None else row.path.as_posix(),
            "height": row.size[0],
            "width": row.size[1],
            "objects": len(row.scores),
        }
        for row in found
    ]
    content = {
        "images": images,
        "categories": categories_of(label_map),
        "skipped": found.skipped,
    }
    return [path, write_json(path.with_suffix(".images.json"), content)]
