"""Checks of a config against the dataset that it is used with."""

from collections.abc import Collection
from typing import Any

from odapi.build.augment import check_densepose, check_keypoints
from odapi.build.context_rcnn import bank_shape, check_context
from odapi.build.keypoint_names import check_keypoint_ids
from odapi.build.metrics import COCO_MASKS
from odapi.build.train_augmentations import by_path
from odapi.data.loader.pipeline import Augmentation
from odapi.data.sources.base import BaseSource
from odapi.errors import ConfigError, DataError


def check_train_source(
    config: Any,
    source: BaseSource,
    fields: Collection[str],
    augmentations: tuple[Augmentation, ...],
) -> None:
    """Checks that the training data have what the config requires.

    Args:
        config: A TrainEvalPipelineConfig.
        source: The training data.
        fields: Groundtruth fields that are loaded.
        augmentations: Those of the config.

    Raises:
        ConfigError: The config contradicts the data.
        DataError: The data lack context features.
    """
    _check_classes(config, source)
    check_context(bank_shape(config), source, "train_input_reader")
    if "keypoints" in fields:
        check_keypoint_ids(config, source.num_keypoints)
        check_keypoints(by_path(config, augmentations), source.num_keypoints)
    if "densepose_points" in fields:
        check_densepose(by_path(config, augmentations))
    scores = config.train_config.use_multiclass_scores
    if scores and "multiclass_scores" not in source.keys:
        raise ConfigError(
            "train_config.use_multiclass_scores",
            f"needs scores, which {source.name} does not have",
            hint="they are in image/object/class/multiclass_scores of a tf.Example",
        )


def check_eval_source(config: Any, source: BaseSource, index: int) -> None:
    """Checks that the evaluation data have what the config requires.

    Args:
        config: A TrainEvalPipelineConfig.
        source: The evaluation data.
        index: Position of their `eval_input_reader`.

    Raises:
        ConfigError: The config contradicts the data.
        DataError: The data lack masks or context features.
    """
    if COCO_MASKS in config.eval_config.metrics_set and "masks" not in source.keys:
        raise DataError(
            source.name,
            f"has no masks, which {COCO_MASKS} compares",
            hint="remove the metric from eval_config.metrics_set, or set "
            "load_instance_masks: true if the dataset has masks",
        )
    check_context(bank_shape(config), source, f"eval_input_reader[{index}]")


def _check_classes(config: Any, source: BaseSource) -> None:
    kind = config.model.WhichOneof("model")
    num_classes = getattr(getattr(config.model, kind or "", None), "num_classes", 0)
    highest = source.label_map.num_classes
    if 0 < num_classes < highest:
        raise ConfigError(
            f"model.{kind}.num_classes",
            f"is {num_classes}, but the highest class id of {source.name} is {highest} "
            f"({source.label_map.by_id[highest].label})",
            hint=f"--set model.{kind}.num_classes={highest}",
        )
