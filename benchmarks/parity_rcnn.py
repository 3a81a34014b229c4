"""What of a two-stage detector is compared with the original's."""

from typing import Any

from odapi.models.detector import REGULARIZATION
from odapi.models.faster_rcnn import BOXES, CLASSES, FasterRCNN
from odapi.structures import Groundtruth, present

_FLAT = (BOXES, CLASSES, "box_classifier_features")


def everything(detector: FasterRCNN, inputs: dict) -> dict:
    """Returns all that the original's goldens have of an inference, by their names."""
    maps = detector.extract(inputs)
    outputs = _first_stage(detector, maps)
    outputs = detector.second(maps, outputs, inputs)
    found = detector.detect(inputs, outputs, raw=True)
    if detector.roi_boxes is not None:
        boxes = outputs["proposal_boxes"]
        outputs["box_classifier_features"] = detector.describe(maps, boxes, inputs)
    found = {f"detections/{k}": v for k, v in present(found).items()}
    return {"preprocessed": detector.preprocess(inputs), **outputs, **found}


def forward(
    detector: FasterRCNN, inputs: dict, groundtruth: Groundtruth
) -> tuple[Any, tuple[dict, dict]]:
    """Returns the loss of a training step, what led to it, and its parts."""
    maps = detector.extract(inputs, training=True)
    outputs = _first_stage(detector, maps, training=True)
    outputs = detector.second(maps, outputs, inputs, training=True)
    found = dict(detector.loss_parts(outputs, groundtruth, inputs, training=True))
    found[REGULARIZATION] = detector.regularization()
    return sum(found.values()), (outputs, found)


def _first_stage(detector: FasterRCNN, maps: list, training: bool = False) -> dict:
    looks = detector.rpn.look(maps, training)
    outputs = dict(detector.rpn.read(looks, training))
    named = enumerate(looks)
    return outputs | {f"rpn_box_predictor_features/{n}": look for n, look in named}
