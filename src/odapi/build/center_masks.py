"""Builds the mask tasks of CenterNet from their messages."""

from typing import Any

from odapi.build.center_head import head_layers
from odapi.build.hyperparams import BuildContext
from odapi.build.losses import build_classification_loss
from odapi.build.oneof import call, checked
from odapi.models.center.deepmac_task import DeepMac
from odapi.models.center.mask_nets import MaskNetwork, MaskShape
from odapi.models.center.mask_supervision import (
    BoxSupervision,
    ColorSupervision,
    Jitter,
    SelfSupervision,
    Supervision,
    WarmUp,
)
from odapi.models.center.mask_task import HEATMAP, CenterMasks

_CLASS_IDS_START = 1


def build_center_masks(
    task: Any, path: str, center_net: Any, context: BuildContext
) -> CenterMasks:
    """Returns the task of a `CenterNet.MaskEstimation` message.

    Raises:
        ConfigError: The loss is missing, or a value is not allowed.
    """
    task = checked(task, path)
    return CenterMasks(
        num_classes=center_net.num_classes,
        loss=build_classification_loss(
            task.classification_loss, f"{path}.classification_loss"
        ),
        weight=task.task_loss_weight,
        mask_size=(task.mask_height, task.mask_width),
        threshold=task.score_threshold,
        head=head_layers(
            task.mask_head_params,
            f"{path}.mask_head_params",
            HEATMAP,
            bias=task.heatmap_bias_init,
        ),
    )


def build_deepmac(
    task: Any, path: str, center_net: Any, context: BuildContext
) -> DeepMac:
    """Returns the task of a `CenterNet.DeepMACMaskEstimation` message.

    Raises:
        ConfigError: The loss is missing, there are no boxes, or a value is not
            allowed.
    """
    task = checked(task, path)
    shape = MaskShape(
        side=task.mask_size,
        whole=task.predict_full_resolution_masks,
        crop=task.postprocess_crop_size,
        use_xy=task.use_xy,
    )
    network = MaskNetwork(
        kind=task.network_type,
        channels=task.num_init_channels,
        use_embedding=task.use_instance_embedding,
        mask_size=task.mask_size,
    )
    seen = task.pixel_embedding_dim + (2 if task.use_xy else 0)
    return DeepMac(
        net=network.layer(seen, task.dim, context.seed, context.dtype),
        supervision=call(_supervision, task, path),
        shape=shape,
        embedding=task.dim,
        pixels=task.pixel_embedding_dim,
    )


def _supervision(task: Any, path: str) -> Supervision:
    # -1 means all in the original.
    ids = tuple(task.allowed_masked_classes_ids)
    return Supervision(
        loss=build_classification_loss(
            task.classification_loss, f"{path}.classification_loss"
        ),
        masks=task.task_loss_weight,
        points=task.pointly_supervised_keypoint_loss_weight,
        boxes=_boxes(task),
        colors=_colors(task),
        self_training=_own(task),
        classes=tuple(n - _CLASS_IDS_START for n in ids),
        num_samples=max(task.mask_num_subsamples, 0),
        exclusive=task.ignore_per_class_box_overlap,
        jitter=_jitter(task),
        last_stage=task.use_only_last_stage,
    )


def _jitter(task: Any) -> Jitter | None:
    if task.max_roi_jitter_ratio <= 0:
        return None
    mode = task.enum_name("jitter_mode")
    return Jitter(task.max_roi_jitter_ratio, mode)


def _boxes(task: Any) -> BoxSupervision | None:
    if task.box_consistency_loss_weight <= 0:
        return None
    normalize = task.enum_name("box_consistency_loss_normalize")
    return BoxSupervision(
        weight=task.box_consistency_loss_weight,
        normalize=normalize.removeprefix("normalize_"),  # type: ignore[arg-type]
        tight=task.box_consistency_tightness,
    )


def _colors(task: Any) -> ColorSupervision | None:
    if task.feature_consistency_loss_weight <= 0:
        return None
    kind = task.enum_name("feature_consistency_type")
    comparison = task.enum_name("feature_consistency_comparison")
    return ColorSupervision(
        weight=task.feature_consistency_loss_weight,
        threshold=task.feature_consistency_threshold,
        dilation=task.feature_consistency_dilation,
        features=kind == "consistency_feature_map",
        dot_product=comparison == "comparison_normalized_dotprod",
        warm_up=WarmUp(
            task.feature_consistency_warmup_start,
            task.feature_consistency_warmup_steps,
        ),
    )


def _own(task: Any) -> SelfSupervision | None:
    if task.augmented_self_supervision_loss_weight <= 0:
        return None
    kind = task.enum_name("augmented_self_supervision_loss").removeprefix("loss_")
    return SelfSupervision(
        weight=task.augmented_self_supervision_loss_weight,
        kind=kind,  # type: ignore[arg-type]
        max_translation=task.augmented_self_supervision_max_translation,
        flip_probability=task.augmented_self_supervision_flip_probability,
        scale=(
            task.augmented_self_supervision_scale_min,
            task.augmented_self_supervision_scale_max,
        ),
        warm_up=WarmUp(
            task.augmented_self_supervision_warmup_start,
            task.augmented_self_supervision_warmup_steps,
        ),
    )
