"""Prediction with the outputs of `odapi predict`: drawings, results, datasets."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from odapi.arguments import check_count
from odapi.errors import DataError
from odapi.files import Pathlike
from odapi.inference.crops import Crops
from odapi.inference.images import Images, open_images
from odapi.inference.predictions import Drawings, Predictions
from odapi.inference.predictor import Predictor, SizedPredictor, channels_of
from odapi.inference.selection import Selection, class_ids
from odapi.inference.stream import PredictionStream, batch_size_for
from odapi.inference.tiling import MAX_TILED_IMAGES, TiledPredictor, Tiling
from odapi.progress import track

Classes = Iterable[str | int] | str | int | None


def open_stream(
    predictor: Predictor,
    source: Any,
    min_score: float = 0.5,
    batch_size: int = 8,
    context: Pathlike | np.ndarray | None = None,
    *,
    classes: Classes = None,
    max_detections: int | None = None,
    tile: int | Tiling | None = None,
) -> PredictionStream:
    """Returns the predictions of a predictor as a stream.

    Args:
        predictor: Finds objects in images.
        source: Images; see `open_images`.
        min_score: Objects with a lower score are left out.
        batch_size: Images per call of the model.
        context: Memory bank of a Context R-CNN; None: an empty one.
        classes: Names or ids of the classes to keep; None: all.
        max_detections: Maximum number of objects per image; None: all.
        tile: Side of the tiles that larger images are divided into, or a `Tiling`.

    Raises:
        DataError: An option is out of range, the model has no such class, the source
            names no image, or the model has no temporal context.
    """
    ids = class_ids(classes, predictor.label_map)
    selection = Selection(min_score, ids, max_detections)
    check_count("batch_size", batch_size)
    tiling = Tiling.of(tile)
    images: Images = open_images(source, channels_of(predictor))
    if isinstance(predictor, SizedPredictor) and tiling is None:
        batch_size = batch_size_for(images.total, batch_size)
    run, batch_size = configure(predictor, batch_size, context, tiling)
    edges = getattr(predictor, "keypoint_edges", ())
    return PredictionStream(
        images, run, predictor.label_map, selection, batch_size, edges
    )


def configure(
    predictor: Predictor,
    batch_size: int,
    context: Pathlike | np.ndarray | None = None,
    tiling: Tiling | None = None,
) -> tuple[Any, int]:
    """Returns a predictor with its options, and the number of images per call.

    Args:
        predictor, batch_size, context: See `open_stream`.
        tiling: The tiles of larger images; None: images are not divided.

    Raises:
        DataError: The model has no temporal context.
    """
    run: Any = predictor
    if isinstance(predictor, SizedPredictor) and tiling is None:
        run = predictor.with_batch_size(batch_size)
    if context is not None or getattr(run, "side_inputs", None):
        set_context(run, context)
    if tiling is not None:
        run = TiledPredictor(run, tiling, batch_size)
        batch_size = min(batch_size, MAX_TILED_IMAGES)
    return run, batch_size


def set_context(predictor: Any, bank: Pathlike | np.ndarray | None) -> None:
    """Gives a predictor the memory bank of a Context R-CNN, or takes it away.

    Raises:
        DataError: The model reads no memory bank, or one of another shape.
    """
    if not hasattr(predictor, "attend"):
        raise DataError("context", "is given, but the model reads no memory bank")
    if bank is None:
        predictor.side_inputs = {}
    else:
        predictor.attend(bank)


def collect(
    stream: PredictionStream,
    drawings: Drawings | None = None,
    crops: Crops | None = None,
) -> Predictions:
    """Returns all predictions of a stream.

    Images are dropped where their file can be read again.

    Args:
        stream: Is consumed.
        drawings: Also draws every image.
        crops: Also crops every object.
    """
    found = Predictions(label_map=stream.label_map)
    shown = track(stream, "predicting", stream.total) if stream.has_files else stream
    for prediction in shown:
        if drawings is not None:
            found.files.append(drawings.save(prediction))
        if crops is not None:
            crops.save(prediction)
        found.append(prediction.without_pixels())
    found.take(stream)
    if crops is not None:
        found.files.append(crops.finish())
    return found


def save_outputs(
    found: Predictions,
    coco_results: Pathlike | None = None,
    save_txt: Pathlike | None = None,
    save_voc: Pathlike | None = None,
    save_coco: Pathlike | None = None,
    save_csv: Pathlike | None = None,
) -> None:
    """Writes predictions to files; adds these to `found.files`.

    Args:
        found: The predictions.
        coco_results: File for COCO results.
        save_txt, save_voc, save_coco: Folder for a YOLO, Pascal VOC or COCO dataset.
        save_csv: File with one row per object.
    """
    if coco_results is not None:
        found.files += found.save_coco_results(coco_results)
    if save_csv is not None:
        found.files.append(found.save_csv(save_csv))
    for folder, save in (
        (save_txt, found.save_txt),
        (save_voc, found.save_voc),
        (save_coco, found.save_coco),
    ):
        if folder is not None:
            found.files.append(save(folder).path)
