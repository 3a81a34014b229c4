"""Prediction with the outputs of `odapi predict`: drawings, results, datasets."""

from typing import Any

import numpy as np

from odapi.errors import DataError
from odapi.files import Pathlike
from odapi.inference.images import Images, open_images
from odapi.inference.predictions import Drawings, Predictions
from odapi.inference.predictor import Predictor, SizedPredictor
from odapi.inference.stream import PredictionStream, batch_size_for, check_options
from odapi.progress import track


def open_stream(
    predictor: Predictor,
    source: Any,
    min_score: float = 0.5,
    batch_size: int = 8,
    context: Pathlike | np.ndarray | None = None,
) -> PredictionStream:
    """Returns the predictions of a predictor as a stream.

    Args:
        predictor: Finds objects in images.
        source: Images; see `open_images`.
        min_score: Objects with a lower score are left out.
        batch_size: Images per call of the model.
        context: Memory bank of a Context R-CNN; None: an empty one.

    Raises:
        DataError: An option is out of range, the source names no image, or the model
            has no temporal context.
    """
    check_options(min_score, batch_size)
    images: Images = open_images(source)
    run: Any = predictor
    if isinstance(predictor, SizedPredictor):
        batch_size = batch_size_for(images.total, batch_size)
        run = predictor.with_batch_size(batch_size)
    if context is not None or getattr(run, "side_inputs", None):
        set_context(run, context)
    edges = getattr(predictor, "keypoint_edges", ())
    return PredictionStream(
        images, run, predictor.label_map, min_score, batch_size, edges
    )


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


def collect(stream: PredictionStream, drawings: Drawings | None = None) -> Predictions:
    """Returns all predictions of a stream.

    Images are dropped where their file can be read again.

    Args:
        stream: Is consumed.
        drawings: Also draws every image.
    """
    found = Predictions(label_map=stream.label_map)
    shown = track(stream, "predicting", stream.total) if stream.has_files else stream
    for prediction in shown:
        if drawings is not None:
            found.files.append(drawings.save(prediction))
        found.append(prediction.without_pixels())
    found.take(stream)
    return found


def save_outputs(
    found: Predictions,
    coco_results: Pathlike | None = None,
    save_txt: Pathlike | None = None,
    save_voc: Pathlike | None = None,
    save_coco: Pathlike | None = None,
) -> None:
    """Writes predictions to files; adds these to `found.files`.

    Args:
        found: The predictions.
        coco_results: File for COCO results.
        save_txt, save_voc, save_coco: Folder for a YOLO, Pascal VOC or COCO dataset.
    """
    if coco_results is not None:
        found.files += found.save_coco_results(coco_results)
    for folder, save in (
        (save_txt, found.save_txt),
        (save_voc, found.save_voc),
        (save_coco, found.save_coco),
    ):
        if folder is not None:
            found.files.append(save(folder).path)
