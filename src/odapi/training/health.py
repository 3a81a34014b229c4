"""Health checks: trainings that start, but cannot go well.

Each returns a `SetFinding` whose `check` is a value of `options.health.allow`. Those
about the config alone are rules in `odapi.config.rules`; that of a mAP that stays 0 is
`callbacks.zero_map`; those of the datasets alone are in `odapi.data.set_checks`.
"""

from typing import Any

import numpy as np

from odapi.build.anchor_setup import anchor_setup
from odapi.build.resizer import model_resizer
from odapi.config.load import options
from odapi.config.strides import finest_stride
from odapi.data.resized_boxes import ResizedBoxes
from odapi.data.set_checks import SetFinding
from odapi.data.survey import Survey
from odapi.models.detector import Detector
from odapi.models.normalized_maps import smallest_normalized_map
from odapi.training.messages import print_lines
from odapi.wording import counted, first_names

_MIN_OBJECTS = 10  # Fewer prove nothing.
_MOST = 0.5
_MIN_IOU, _MAX_MISSED = 0.25, 0.5
_MAX_BOXES, _MAX_SIZES = 2000, 8  # Whose anchors are compared.
_SMALL_BATCH, _FEW_VALUES = 2, 8


def find_health(
    config: Any,
    detector: Detector,
    train: Survey | None = None,
    evaluation: Survey | None = None,
) -> list[SetFinding]:
    """Returns what keeps a training from going well, before its first step.

    Args:
        config: A TrainEvalPipelineConfig.
        detector: Built; variables are frozen already.
        train: The training data; None if it is unknown.
        evaluation: The evaluation data; None if there is none.
    """
    found = [small_batch_norm(detector, config.train_config.batch_size)]
    if train is not None:
        if evaluation is not None:
            found.append(no_class_overlap(train, evaluation))
        found += [
            vanishing_objects(config, train),
            missed_objects(config, train, detector),
        ]
    allowed = options(config).health.allow
    return [f for f in found if f is not None and f.check not in allowed]


def print_health(findings: list[SetFinding]) -> None:
    """Prints findings as warnings."""
    for finding in findings:
        print_lines(f"warning: {finding} [{finding.check}]")


def no_class_overlap(train: Survey, evaluation: Survey) -> SetFinding | None:
    """Finds evaluation data without a class that is trained."""
    if not train.classes or not evaluation.classes:
        return None
    if train.classes.keys() & evaluation.classes.keys():
        return None
    names = [
        first_names([survey.declared[i] for i in sorted(survey.classes)], 3)
        for survey in (train, evaluation)
    ]
    return SetFinding(
        "no_class_overlap",
        f"no class of the training data ({names[0]}) is in the evaluation data "
        f"({names[1]}): every metric will be 0",
        "do both name their classes alike, and does the label map of each fit?",
    )


def vanishing_objects(config: Any, train: Survey) -> SetFinding | None:
    """Finds objects of which most are smaller than a location of the feature maps."""
    boxes, stride = _resized(config, train), finest_stride(config)
    if len(boxes) < _MIN_OBJECTS:
        return None
    below = (boxes.shapes < stride).all(1)
    if below.mean() <= _MOST:
        return None
    height, width = np.median(boxes.shapes, axis=0)
    return SetFinding(
        "vanishing_objects",
        f"{int(below.sum())} of {counted(len(boxes), 'object')} are smaller than the "
        f"stride of the finest feature map, {stride} pixels, after resizing; the "
        f"median is {width:.3g} x {height:.3g}",
        "enlarge image_resizer, or train on tiles: odapi data tile",
    )


def missed_objects(
    config: Any, train: Survey, detector: Detector | None = None
) -> SetFinding | None:
    """Finds anchors that most objects are far from, by size or shape."""
    if config.model.WhichOneof("model") == "center_net":
        return None
    boxes = _resized(config, train)
    if len(boxes) < _MIN_OBJECTS:
        return None
    boxes = boxes.thinned(_MAX_BOXES, _MAX_SIZES)
    extractor = getattr(detector, "feature_extractor", None)
    if not hasattr(extractor, "grid_sizes"):
        return None
    ious = anchor_setup(config, extractor).best_ious(boxes)
    missed = float((ious < _MIN_IOU).mean())
    if missed <= _MAX_MISSED:
        return None
    return SetFinding(
        "missed_objects",
        f"{missed:.0%} of the objects have no anchor with an IoU of {_MIN_IOU:g} or "
        f"more after resizing; the mean of the best IoU is {ious.mean():.2f}",
        "odapi data anchors CONFIG shows their sizes, and proposes anchors",
    )


def small_batch_norm(detector: Detector, batch_size: int) -> SetFinding | None:
    """Finds batch norms that estimate a variance from very few values."""
    if not 0 < batch_size <= _SMALL_BATCH:
        return None
    smallest = smallest_normalized_map(detector)
    if smallest is None:
        return None
    height, width = smallest.height, smallest.width
    number = batch_size * height * width
    if number >= _FEW_VALUES:
        return None
    return SetFinding(
        "small_batch_norm",
        "batch norms use the statistics of the batch, and with batches of "
        f"{batch_size} the smallest feature map that one normalizes, {height} x "
        f"{width} in {smallest.layer}, has {counted(number, 'value')} per channel",
        "larger batches or images, model.ssd.freeze_batchnorm: true when fine-tuning, "
        "or GroupNorm: group_norm in conv_hyperparams",
    )


def _resized(config: Any, survey: Survey) -> ResizedBoxes:
    """Returns the boxes of a survey in pixels of the resized images."""
    resizer = model_resizer(config)
    sizes = survey.sizes.astype(int)
    unique, rows = np.unique(sizes, axis=0, return_inverse=True)
    true = np.array([resizer.true_size(*size) for size in unique.tolist()])
    padded = np.array([resizer.output_size(*size) for size in unique.tolist()])
    if not len(unique):
        return ResizedBoxes(np.zeros((0, 4)), np.zeros((0, 2), int))
    rows = rows.reshape(-1)
    boxes = survey.boxes * np.tile(true[rows], 2)
    kept = (boxes[:, 2:] > boxes[:, :2]).all(1)
    return ResizedBoxes(boxes[kept], padded[rows][kept], survey.checked)
