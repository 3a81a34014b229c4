"""The parts of a two-stage detector that are compared with the original's."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import numpy as np
from keras import ops

from odapi.heads.rpn_head import RPN_BOXES, RPN_CLASSES
from odapi.losses.names import REGULARIZATION_LOSS
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.models.two_stage.proposals import inside_image
from odapi.models.two_stage.rcnn_outputs import unpack_outputs
from odapi.models.two_stage.roi_mask_task import RoiMaskTask
from odapi.models.two_stage.roi_pooler import RoiPooler
from odapi.structures import Groundtruth, present

# Boxes of the original that regions are cut out by, and how near ours come.
_BOXES = (
    "predict/proposal_boxes_normalized",
    "train/predict/proposal_boxes_normalized",
    "predict/detection_boxes",
)
_SAME = 2e-6
_FEATURES = "box_classifier_features"


@dataclasses.dataclass(frozen=True)
class _StoredCrop(RoiPooler):
    """Cuts by the original's own boxes where ours are the same but for rounding.

    Of a box that reaches the edge of the map, the last bit of the other edge decides
    whether TensorFlow's operation takes the last row to be outside, and hence 0.
    """

    stored: tuple[np.ndarray, ...] = ()

    def crop(self, maps, boxes, image_size):
        for known in self.stored:
            if known.shape == (known.shape[0], *boxes.shape[1:]):
                near = ops.abs(boxes - known) < _SAME
                boxes = ops.where(near, known, boxes)
        return super().crop(maps, boxes, image_size)


def cut_as_stored(detector: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Makes a two-stage detector cut regions by the stored boxes, where it can."""
    if not isinstance(detector, FasterRCNN):
        return
    crop, stored = (
        detector.parts.pooler,
        tuple(arrays[k] for k in _BOXES if k in arrays),
    )
    fields = {f.name: getattr(crop, f.name) for f in dataclasses.fields(crop)}
    crop = _StoredCrop(**{**fields, "stored": stored})
    detector.parts = dataclasses.replace(detector.parts, pooler=crop)


def everything(detector: FasterRCNN, inputs: dict) -> dict:
    """Returns all that the original's goldens have of an inference, by their names."""
    maps = detector.extract(inputs)
    outputs = detector.run_second_stage(maps, _first_stage(detector, maps), inputs)
    found = detector.detect(inputs, outputs, raw=True)
    _, proposals = unpack_outputs(outputs)
    heads = _heads(outputs, _size(inputs))
    if detector.roi_boxes is not None:
        heads[_FEATURES] = _flat(outputs[_FEATURES])
        heads |= found.maps or {}
    heads["num_proposals"] = proposals.num
    found = present(found._replace(maps=None))
    found = {f"detections/{k}": v for k, v in found.items()}
    return {"preprocessed": detector.preprocess(inputs), **heads, **found}


def forward(
    detector: FasterRCNN, inputs: dict, groundtruth: Groundtruth
) -> tuple[Any, tuple[dict, dict]]:
    """Returns the loss of a training step, what led to it, and its parts."""
    maps = detector.extract(inputs, training=True)
    outputs = _first_stage(detector, maps, training=True)
    outputs = detector.run_second_stage(maps, outputs, inputs, training=True)
    seen: dict = {}
    box_predictor = detector.box_predictor

    def record(features, training=False):
        seen[_FEATURES] = features
        predictions = box_predictor(features, training)
        seen.update(predictions)
        return predictions

    with mock.patch.object(detector, "box_predictor", record):
        found = dict(detector.loss_parts(outputs, groundtruth, inputs, training=True))
    found[REGULARIZATION_LOSS] = detector.regularization()
    heads = _heads(outputs | seen, _size(inputs))
    heads |= {_FEATURES: _flat(seen[_FEATURES])} if seen else {}
    for task in _mask_tasks(detector):
        # Of all regions in their order; the loss looks at those with an object.
        heads["mask_predictions"] = task.head(_flat(seen[_FEATURES]), training=True)
    _keep_usable(detector, heads, _size(inputs))
    return sum(found.values()), (heads, found)


def _first_stage(detector: FasterRCNN, maps: list, training: bool = False) -> dict:
    hidden = detector.rpn.hidden_maps(maps, training)
    outputs = dict(detector.rpn.predict_maps(hidden, training))
    named = enumerate(hidden)
    return outputs | {f"rpn_box_predictor_features/{n}": x for n, x in named}


def _heads(outputs: dict, size: tuple[int, int]) -> dict:
    """Returns predictions by their stored names; of two stages, one row a region."""
    heads = {
        k: v for k, v in outputs.items() if k.startswith(("rpn_", "feature_maps/"))
    }
    maps = {k: v for k, v in heads.items() if k.startswith("feature_maps/")}
    heads |= {
        k.replace("feature_maps", "rpn_features_to_crop"): v for k, v in maps.items()
    }
    for name in ("refined_box_encodings", "class_predictions_with_background"):
        if name in outputs:
            heads[name] = _flat(outputs[name])
    boxes = outputs["proposal_boxes"]
    heads["proposal_boxes_normalized"] = heads["final_anchors"] = boxes
    heads["proposal_boxes"] = boxes * np.tile(np.float32(size), 2)
    return heads


def _keep_usable(detector: FasterRCNN, heads: dict, size: tuple[int, int]) -> None:
    """Leaves out anchors that reach over the edge, where the original does."""
    if detector.parts.clip_anchors:
        return
    usable = np.flatnonzero(inside_image(detector.unclipped_anchors(size)))
    for name in (RPN_BOXES, RPN_CLASSES):
        heads[name] = ops.take(heads[name], usable, axis=1)


@contextlib.contextmanager
def _masks_of_all_classes(detector: FasterRCNN) -> Iterator[dict]:
    """Notes the masks of all classes, of which the detector makes one a region."""
    masks: dict = {}
    with contextlib.ExitStack() as patches:
        for task in _mask_tasks(detector):
            call = functools.partial(_both, task.head.call, masks)
            patches.enter_context(mock.patch.object(task.head, "call", call))
        yield masks


def _both(one, masks: dict, features, classes=None, training=False):
    masks["mask_predictions"] = one(features, None, training)
    return one(features, classes, training)


def _mask_tasks(detector: FasterRCNN) -> list[RoiMaskTask]:
    return [task for task in detector.tasks if isinstance(task, RoiMaskTask)]


def _flat(regions):
    return ops.reshape(regions, (-1, *regions.shape[2:]))


def _size(inputs: dict) -> tuple[int, int]:
    height, width = inputs["images"].shape[1:3]
    return height, width
