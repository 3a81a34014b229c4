"""Builds a CenterNet from its message and a table of tasks."""

from collections.abc import Callable
from typing import Any

from odapi.build.center_extractor import build_center_extractor, center_pixel_scaling
from odapi.build.center_head import head_layers
from odapi.build.center_keypoints import build_keypoint_task
from odapi.build.center_masks import build_center_masks, build_deepmac
from odapi.build.center_people import (
    build_densepose,
    build_temporal,
    build_track,
)
from odapi.build.hyperparams import BuildContext
from odapi.build.losses import build_classification_loss, build_localization_loss
from odapi.build.oneof import call, checked
from odapi.build.postprocess import build_postprocess
from odapi.build.resizer import model_resizer
from odapi.config.load import options
from odapi.data.image.resize import fixed_size
from odapi.geometry.nms.batched import NonMaxSuppression
from odapi.layers.hyperparams import Hyperparams
from odapi.models.center.box_task import OFFSET, SCALE, CenterBoxes
from odapi.models.center.center_net import CenterNet, CenterParts
from odapi.models.center.keypoint_task import KeypointTask
from odapi.models.center.object_heatmap import OBJECT_CENTER, ObjectCenters
from odapi.models.center.task import Task
from odapi.models.detector import Detector
from odapi.targets.center_targets import WeightedKeypoints

# Any size fits if image sizes vary: variables do not depend on it.
_NOMINAL_SIZE = (256, 256)


def build_center_net(
    center_net: Any, path: str, config: Any, context: BuildContext
) -> Detector:
    """Returns a CenterNet with its variables.

    Args:
        center_net: A `CenterNet` message.
        path: Path of the message, for errors.
        config: The TrainEvalPipelineConfig.
        context: Settings of the whole model.

    Raises:
        ConfigError: The config asks for a model that cannot be built.
    """
    center_net = checked(center_net, path)
    parts = call(_parts, center_net, path, config, context)
    size = fixed_size(model_resizer(config))
    # Last, since it takes longest: errors in other parts are reported before.
    extractor = build_center_extractor(
        center_net.feature_extractor, f"{path}.feature_extractor", context
    )
    detector = CenterNet(
        extractor,
        parts,
        Hyperparams(seed=context.seed, dtype=context.dtype),
        center_net.use_depthwise,
        image_size=size,
        add_regularization=False,  # As in the original.
        num_channels=context.channels,
        name="detector",
        dtype=context.dtype,
    )
    detector.build((None, *(size or _NOMINAL_SIZE), context.channels))
    return detector


def _parts(
    center_net: Any, path: str, config: Any, context: BuildContext
) -> CenterParts:
    tasks = _tasks(center_net, path, context)
    return CenterParts(
        pixels=center_pixel_scaling(
            center_net.feature_extractor, f"{path}.feature_extractor"
        ),
        objects=call(
            _objects,
            center_net.object_center_params,
            f"{path}.object_center_params",
            center_net,
            tasks,
        ),
        tasks=tasks,
        nms=_nms(center_net, path, config),
        output_maps=center_net.output_prediction_dict,
    )


def _objects(
    params: Any, path: str, center_net: Any, tasks: tuple[Task, ...]
) -> ObjectCenters:
    loss = build_classification_loss(
        params.classification_loss, f"{path}.classification_loss"
    )
    return ObjectCenters(
        num_classes=center_net.num_classes,
        loss=loss,
        weight=params.object_center_loss_weight,
        min_iou=params.min_box_overlap_iou,
        max_detections=params.max_box_predictions,
        window=params.peak_max_pool_kernel_size,
        use_labeled_classes=params.use_labeled_classes,
        keypoints=_weighted_keypoints(params, path, tasks),
        head=head_layers(
            params.center_head_params,
            f"{path}.center_head_params",
            OBJECT_CENTER,
            bias=params.heatmap_bias_init,
        ),
    )


def _weighted_keypoints(
    params: Any, path: str, tasks: tuple[Task, ...]
) -> WeightedKeypoints | None:
    """Returns the keypoints whose mean is the center; None for centers of boxes."""
    weights = tuple(params.keypoint_weights_for_center)
    if not weights:
        return None
    with_keypoints = [task for task in tasks if isinstance(task, KeypointTask)]
    (task,) = with_keypoints
    return WeightedKeypoints(task.class_id, task.indices, weights)


def _nms(center_net: Any, path: str, config: Any) -> NonMaxSuppression | None:
    if not center_net.HasField("post_processing"):
        return None
    candidates = options(config).nms_candidates
    place = f"{path}.post_processing"
    return build_postprocess(center_net.post_processing, False, candidates, place).nms


def _tasks(center_net: Any, path: str, context: BuildContext) -> tuple[Task, ...]:
    """Returns the tasks of the config, in the order of the table."""
    tasks = []
    for field, builder in _TASKS.items():
        value = getattr(center_net, field)
        if center_net.DESCRIPTOR.fields_by_name[field].is_repeated:
            messages = [(m, f"{path}.{field}[{i}]") for i, m in enumerate(value)]
        else:
            there = center_net.HasField(field)
            messages = [(value, f"{path}.{field}")] if there else []
        for message, place in messages:
            tasks.append(call(builder, message, place, center_net, context))
    return tuple(tasks)


def _boxes(task: Any, path: str, center_net: Any, context: BuildContext) -> CenterBoxes:
    return CenterBoxes(
        loss=build_localization_loss(
            task.localization_loss, f"{path}.localization_loss"
        ),
        weight=task.task_loss_weight,
        scale_weight=task.scale_loss_weight,
        offset_weight=task.offset_loss_weight,
        scale_head=head_layers(
            task.scale_head_params, f"{path}.scale_head_params", SCALE
        ),
        offset_head=head_layers(
            task.offset_head_params, f"{path}.offset_head_params", OFFSET
        ),
    )


# Builders `(message, path, CenterNet message, context) -> Task` by field, repeated or
# not. Boxes come first, since other tasks read them.
_TASKS: dict[str, Callable[[Any, str, Any, BuildContext], Task]] = {
    "object_detection_task": _boxes,
    "keypoint_estimation_task": build_keypoint_task,
    "mask_estimation_task": build_center_masks,
    "densepose_estimation_task": build_densepose,
    "track_estimation_task": build_track,
    "temporal_offset_task": build_temporal,
    "deepmac_mask_estimation": build_deepmac,
}
