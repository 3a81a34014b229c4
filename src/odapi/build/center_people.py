"""Builds the tracking, temporal offset and DensePose tasks of CenterNet."""

from typing import Any

from odapi.build.hyperparams import BuildContext
from odapi.build.losses import build_classification_loss, build_localization_loss
from odapi.build.oneof import checked
from odapi.heads.track_classifier import TrackClassifier
from odapi.layers.hyperparams import Hyperparams
from odapi.models.center.densepose_task import CenterDensePose
from odapi.models.center.temporal_task import CenterTemporal
from odapi.models.center.track_task import CenterTrack


def build_track(
    task: Any, path: str, center_net: Any, context: BuildContext
) -> CenterTrack:
    """Returns the task of a `CenterNet.TrackEstimation` message.

    Raises:
        ConfigError: The loss is missing, or a value is not allowed.
    """
    task = checked(task, path)
    classifier = TrackClassifier(
        task.num_track_ids,
        task.reid_embed_size,
        task.num_fc_layers,
        Hyperparams(seed=context.seed, dtype=context.dtype),
    )
    classifier.build()
    return CenterTrack(
        classifier,
        build_classification_loss(
            task.classification_loss, f"{path}.classification_loss"
        ),
        task.task_loss_weight,
    )


def build_temporal(
    task: Any, path: str, center_net: Any, context: BuildContext
) -> CenterTemporal:
    """Returns the task of a `CenterNet.TemporalOffsetEstimation` message.

    Raises:
        ConfigError: The loss is missing, or it compares boxes.
    """
    task = checked(task, path)
    loss = build_localization_loss(task.localization_loss, f"{path}.localization_loss")
    return CenterTemporal(loss, task.task_loss_weight)


def build_densepose(
    task: Any, path: str, center_net: Any, context: BuildContext
) -> CenterDensePose:
    """Returns the task of a `CenterNet.DensePoseEstimation` message.

    Raises:
        ConfigError: There is no mask task, a loss is missing, or a value is not
            allowed.
    """
    task = checked(task, path)
    return CenterDensePose(
        class_id=task.class_id,
        part_loss=build_classification_loss(
            task.loss.classification_loss, f"{path}.loss.classification_loss"
        ),
        surface_loss=build_localization_loss(
            task.loss.localization_loss, f"{path}.loss.localization_loss"
        ),
        num_parts=task.num_parts,
        weight=task.task_loss_weight,
        part_weight=task.part_loss_weight,
        surface_weight=task.coordinate_loss_weight,
        full_resolution=task.upsample_to_input_res,
        bias=task.heatmap_bias_init,
    )
