"""CenterNet: tasks that need each other, class ids, heads and keypoints."""

import math
from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error, warning
from odapi.config.load import options
from odapi.config.readers import eval_reader
from odapi.wording import counted

_PATH = "model.center_net"
_CONVERTER = "score_converter"
_CONSTANT = "gaussian_weighted_const"
# Ranking modes that compare distances with the sizes of boxes.
_RANKED_BY_BOXES = ("score_scaled_distance_ratio", "gaussian_weighted")


def find(config: Any) -> Iterator[Finding]:
    """Yields tasks of a CenterNet that contradict each other or its other parts."""
    if config.model.WhichOneof("model") != "center_net":
        return
    center_net = config.model.center_net
    yield from _find_losses(center_net)
    yield from _find_class_ids(center_net)
    yield from _find_needed_tasks(center_net)
    yield from _find_nms(center_net)
    yield from _find_keypoint_tasks(center_net)


def about_head(path: str, head: Any) -> Iterator[Finding]:
    """Yields filters and kernels of a `PredictionHeadParams` that do not pair up."""
    filters, kernels = len(head.num_filters), len(head.kernel_sizes)
    if filters != kernels:
        yield error(
            f"{path}.num_filters",
            f"has {counted(filters, 'value')}, kernel_sizes has {kernels}",
            "give both for each layer before the last",
        )


def _find_losses(center_net: Any) -> Iterator[Finding]:
    losses = {
        "object_detection_task.localization_loss": (
            center_net.object_detection_task.localization_loss
        ),
        "temporal_offset_task.localization_loss": (
            center_net.temporal_offset_task.localization_loss
        ),
        "densepose_estimation_task.loss.localization_loss": (
            center_net.densepose_estimation_task.loss.localization_loss
        ),
    }
    for n, task in enumerate(center_net.keypoint_estimation_task):
        name = f"keypoint_estimation_task[{n}].loss.localization_loss"
        losses[name] = task.loss.localization_loss
    for name, loss in losses.items():
        kind = loss.WhichOneof("localization_loss")
        if kind in ("weighted_iou", "weighted_giou"):
            yield error(
                f"{_PATH}.{name}.{kind}",
                "compares boxes, but sizes and offsets are not boxes",
                "usual is l1_localization_loss { }",
            )


def _find_class_ids(center_net: Any) -> Iterator[Finding]:
    """Yields class ids beyond `num_classes`; they count from 1, but for DensePose."""
    highest = center_net.num_classes
    deepmac = center_net.deepmac_mask_estimation
    for n, class_id in enumerate(deepmac.allowed_masked_classes_ids):
        if not 1 <= class_id <= highest:
            yield error(
                f"{_PATH}.deepmac_mask_estimation.allowed_masked_classes_ids[{n}]",
                f"is {class_id}; class ids are 1 to {highest}",
                "they are those of the label map",
            )
    index = center_net.densepose_estimation_task.class_id
    if center_net.HasField("densepose_estimation_task") and not 0 <= index < highest:
        yield error(
            f"{_PATH}.densepose_estimation_task.class_id",
            f"is {index}; class indices are 0 to {highest - 1} in this field",
            "it is the id in the label map minus 1",
        )


def _find_needed_tasks(center_net: Any) -> Iterator[Finding]:
    boxes = center_net.HasField("object_detection_task")
    if center_net.HasField("deepmac_mask_estimation") and not boxes:
        yield error(
            f"{_PATH}.deepmac_mask_estimation",
            "predicts the masks of boxes",
            "set object_detection_task",
        )
    masks = center_net.HasField("mask_estimation_task")
    if center_net.HasField("densepose_estimation_task") and not masks:
        yield error(
            f"{_PATH}.densepose_estimation_task",
            "is read within masks",
            "set mask_estimation_task",
        )
    weights = center_net.object_center_params.keypoint_weights_for_center
    tasks = len(center_net.keypoint_estimation_task)
    place = f"{_PATH}.object_center_params.keypoint_weights_for_center"
    if weights and not any(weights):
        yield error(place, "must not be all 0")
    if weights and tasks != 1:
        yield error(
            place,
            f"needs one keypoint_estimation_task, there are {tasks}",
            "remove it: the centers are then those of the boxes",
        )


def _find_nms(center_net: Any) -> Iterator[Finding]:
    if not center_net.HasField("post_processing"):
        return
    path, config = f"{_PATH}.post_processing", center_net.post_processing
    if not center_net.HasField("object_detection_task"):
        yield error(path, "needs boxes", "set object_detection_task")
    for name in (_CONVERTER, "logit_scale", "calibration_config"):
        same = name == _CONVERTER and config.score_converter == config.IDENTITY
        if config.HasField(name) and not same:
            yield warning(
                f"{path}.{name}",
                "has no effect: the scores of peaks are probabilities already",
            )
    nms = config.batch_non_max_suppression
    peaks = center_net.object_center_params.max_box_predictions
    if nms.max_total_detections > peaks:
        yield warning(
            f"{path}.batch_non_max_suppression.max_total_detections",
            f"is {nms.max_total_detections}, but there are at most {peaks} peaks "
            "(object_center_params.max_box_predictions)",
        )


def _find_keypoint_tasks(center_net: Any) -> Iterator[Finding]:
    tasks = center_net.keypoint_estimation_task
    if not tasks:
        return
    if not center_net.keypoint_label_map_path:
        yield error(
            f"{_PATH}.keypoint_label_map_path",
            "is missing, and keypoint_estimation_task is set",
            "`odapi data keypoints coco:FILE.json --output DIR` writes one",
        )
    names = [task.task_name for task in tasks]
    boxes = center_net.HasField("object_detection_task")
    for index, task in enumerate(tasks):
        path = f"{_PATH}.keypoint_estimation_task[{index}]"
        if task.task_name and names.count(task.task_name) > 1:
            yield error(
                f"{path}.task_name",
                f"{task.task_name!r} is the name of another task, too",
                "each task needs its own name",
            )
        if not boxes:
            yield from _find_missing_boxes(path, task)


def about_keypoint_task(path: str, task: Any) -> Iterator[Finding]:
    """Yields options of a `KeypointEstimation` that exclude each other."""
    mode, place = task.candidate_ranking_mode, f"{path}.candidate_ranking_mode"
    if task.argmax_postprocessing and mode != _CONSTANT:
        yield error(place, f"is {mode!r}; argmax_postprocessing requires {_CONSTANT!r}")
    if not task.argmax_postprocessing and mode == _CONSTANT:
        yield error(place, f"{mode!r} requires argmax_postprocessing: true")
    for name, value in task.keypoint_label_to_std.items():
        if not (value > 0 and math.isfinite(value)):
            yield error(
                f"{path}.keypoint_label_to_std[{name!r}]",
                f"must be above 0, got {value:.7g}",
            )


def _find_missing_boxes(path: str, task: Any) -> Iterator[Finding]:
    mode = task.candidate_ranking_mode
    if task.argmax_postprocessing:
        yield error(f"{path}.argmax_postprocessing", "needs object_detection_task")
    elif mode in _RANKED_BY_BOXES:
        yield error(
            f"{path}.candidate_ranking_mode", f"{mode!r} needs object_detection_task"
        )


def find_loaded_keypoints(config: Any) -> Iterator[Finding]:
    """Yields keypoint tasks whose annotations the training reader does not load."""
    tasks = config.model.center_net.keypoint_estimation_task
    reader = config.train_input_reader
    if tasks and not reader.num_keypoints:
        yield error(
            "train_input_reader.num_keypoints",
            "is missing: the model learns keypoints, and without it none are read",
        )
    for index, task in enumerate(tasks):
        if task.predict_depth and not reader.load_keypoint_depth_features:
            yield error(
                f"{_PATH}.keypoint_estimation_task[{index}].predict_depth",
                "the reader does not load depths",
                "set train_input_reader.load_keypoint_depth_features: true",
            )


def find_keypoint_metrics(config: Any) -> Iterator[Finding]:
    """Yields keypoint metrics of a model or a reader without keypoints."""
    metrics = config.eval_config.parameterized_metric
    if not metrics or config.model.WhichOneof("model") != "center_net":
        return
    path = "eval_config.parameterized_metric"
    for index, _ in enumerate(metrics):
        if not config.model.center_net.keypoint_estimation_task:
            yield error(
                f"{path}[{index}]",
                "evaluates keypoints, but the model predicts none",
                "set model.center_net.keypoint_estimation_task, or remove it",
            )
    for index in range(len(config.eval_input_reader)):
        if not eval_reader(config, index).num_keypoints:
            yield error(
                f"eval_input_reader[{index}].num_keypoints",
                f"is missing, and {path} compares keypoints",
                "set it, or that of train_input_reader",
            )


def find_rematerialization(config: Any) -> Iterator[Finding]:
    """Yields a backbone whose blocks cannot be computed again."""
    kind = config.model.center_net.feature_extractor.type
    if options(config).rematerialization and kind.startswith("hourglass"):
        yield error(
            "options.rematerialization",
            f"is not available for {kind}, which is no graph of layers",
            "options.gradient_accumulation also needs less memory",
        )
