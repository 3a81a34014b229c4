"""All rules of the config language, by the message or the part that they belong to.

Each rule exists once and has two readers. `odapi config check` collects the findings
of all rules; a builder raises the first error of those that belong to what it builds
(`require` and `require_message`). Rules need neither Keras nor the dataset, so that a
check takes a fraction of a second.
"""

import enum
from collections.abc import Callable, Iterator
from typing import Any

from odapi.config import schema
from odapi.config.findings import Finding, raise_errors
from odapi.config.rules import (
    anchors,
    augmentation_labels,
    augmentation_padding,
    augmentations,
    center_net,
    choices,
    context_rcnn,
    deepmac,
    extractors,
    faster_rcnn,
    input_data,
    masks,
    postprocess,
    ranges,
    required,
    ssd,
    support,
    trackers,
    training,
    unused_fields,
)


class Part(enum.Enum):
    """Part of a config that one public builder reads, with its paths."""

    MODEL = (
        "model",
        "options.precision",
        "options.batch_norm_decay",
        "options.nms_candidates",
        "options.roi_align",
        "options.rematerialization",
    )
    TRAIN_DATA = (
        "train_input_reader",
        "train_config.data_augmentation_options",
        "train_config.use_multiclass_scores",
        "train_config.merge_multiple_label_boxes",
        "options.augmentations",
        "options.train_data",
        "options.data_loading",
        "options.sampling",
        "options.health",
    )
    EVALUATION = ("eval_config", "eval_input_reader", "options.eval_data")
    OPTIMIZER = (
        "train_config.optimizer",
        "train_config.bias_grad_multiplier",
        "train_config.gradient_clipping_by_norm",
    )
    TRAINING = ("",)  # Everything else.


def part_of(path: str) -> Part:
    """Returns the part that the field at `path` belongs to."""
    return next(p for p in Part if path.startswith(p.value))


# Rules `(path, message)` about one message, whatever the rest of the config.
MESSAGE_RULES: dict[str, Callable[[str, Any], Iterator[Finding]]] = {
    "ArgMaxMatcher": ssd.about_matcher,
    "BatchNonMaxSuppression": postprocess.about_nms,
    "CenterNet.DeepMACMaskEstimation": deepmac.about_deepmac,
    "CenterNet.KeypointEstimation": center_net.about_keypoint_task,
    "CenterNet.PredictionHeadParams": center_net.about_head,
    "CenterNetFeatureExtractor": extractors.about_center_extractor,
    "Context": context_rcnn.about_context,
    "ConvolutionalBoxPredictor": ssd.about_predictor,
    "ClearMLTracker": trackers.about_clearml,
    "CosineDecayLearningRate": training.about_cosine,
    "FasterRcnnFeatureExtractor": extractors.about_rcnn_extractor,
    "FlexibleGridAnchorGenerator": anchors.about_flexible,
    "GridAnchorGenerator": anchors.about_grid,
    "KeepAspectRatioResizer": augmentations.about_pad_value,
    "MLflowTracker": trackers.about_mlflow,
    "ManualStepLearningRate": training.about_manual,
    "MultiscaleAnchorGenerator": anchors.about_multiscale,
    "NormalizeImage": augmentations.about_normalize,
    "RandomAbsolutePadImage": augmentations.about_pad_color,
    "RandomBlur": augmentations.about_blur,
    "RandomCropPadImage": augmentation_padding.about_crop_pad,
    "RandomHorizontalFlip": augmentations.about_permutation(
        "keypoint_flip_permutation"
    ),
    "RandomPadImage": augmentation_padding.about_pad_image,
    "RandomRotation90": augmentations.about_permutation("keypoint_rot_permutation"),
    "RandomVerticalFlip": augmentations.about_permutation("keypoint_flip_permutation"),
    "RfcnBoxPredictor": faster_rcnn.about_rfcn,
    "SSDRandomCropPadFixedAspectRatio": augmentation_padding.about_padded_size,
    "SSDRandomCropPadOperation": augmentation_padding.about_crop_pad_operation,
    "SigmoidFocalClassificationLoss": postprocess.about_focal_loss,
    "SsdAnchorGenerator": anchors.about_ssd_anchors,
    "SsdFeatureExtractor": extractors.about_ssd_extractor,
    "SubtractChannelMean": augmentations.about_channel_mean,
    "WandbTracker": trackers.about_wandb,
    "WeightSharedConvolutionalBoxPredictor": ssd.about_shared_predictor,
    "XYPairs": postprocess.about_points,
}
# Rules `(config)` that compare messages, with the part they belong to; None: the part
# of the path of each finding.
CONFIG_RULES: tuple[tuple[Callable[[Any], Iterator[Finding]], Part | None], ...] = (
    (ssd.find, Part.MODEL),
    (faster_rcnn.find, Part.MODEL),
    (center_net.find, Part.MODEL),
    (masks.find_both_tasks, Part.MODEL),
    (context_rcnn.find_stages, Part.MODEL),
    (unused_fields.find, Part.MODEL),
    (ssd.find_keypoints, None),
    (context_rcnn.find, None),
    (context_rcnn.find_frames, Part.TRAIN_DATA),
    (center_net.find_loaded_keypoints, Part.TRAIN_DATA),
    (input_data.find_scores, Part.TRAIN_DATA),
    (augmentation_labels.find, Part.TRAIN_DATA),
    (input_data.find_mixture, Part.TRAIN_DATA),
    (input_data.find_sampling, Part.TRAIN_DATA),
    (input_data.find_channels, None),
    (input_data.find_processes, Part.TRAIN_DATA),
    (input_data.find_allowed_checks, Part.TRAIN_DATA),
    (augmentations.find_close_after, Part.TRAIN_DATA),
    (augmentations.find_combinations, Part.TRAIN_DATA),
    (masks.find, Part.EVALUATION),
    (center_net.find_keypoint_metrics, Part.EVALUATION),
    (center_net.find_rematerialization, Part.MODEL),
    (training.find, Part.TRAINING),
    (trackers.find, Part.TRAINING),
    (faster_rcnn.find_batch_size, Part.TRAINING),
)


def find(config: Any, *parts: Part) -> Iterator[Finding]:
    """Yields the findings about some parts of a TrainEvalPipelineConfig."""
    for finding in find_in_message(config):
        if part_of(finding.path) in parts:
            yield finding
    for rule, part in CONFIG_RULES:
        if part is None or part in parts:
            for finding in rule(config):
                if (part or part_of(finding.path)) in parts:
                    yield finding


def find_in_message(message: Any, path: str = "") -> Iterator[Finding]:
    """Yields the findings about a message and those in it, each taken by itself."""
    yield from _about(path, message)
    for here, owner, field in schema.walk(message, path):
        yield from support.find(here, owner, field)
        yield from choices.find(here, owner, field)
        yield from ranges.find(here, owner, field)
        if schema.is_message(field):
            for place, element in schema.elements(here, owner, field):
                yield from _about(place, element)


def _about(path: str, message: Any) -> Iterator[Finding]:
    yield from required.find(path, message)
    yield from ranges.find_crossed(path, message)
    if rule := MESSAGE_RULES.get(schema.short(message.DESCRIPTOR)):
        yield from rule(path, message)


def require(config: Any, *parts: Part) -> None:
    """Raises the first error about some parts of a TrainEvalPipelineConfig.

    Raises:
        ConfigError: There is an error; the others are listed after the first.
    """
    raise_errors(find(config, *parts))


def require_message(message: Any, path: str) -> None:
    """Raises the first error about a message, taken by itself.

    Raises:
        ConfigError: There is an error; the others are listed after the first.
    """
    raise_errors(find_in_message(message, path))
