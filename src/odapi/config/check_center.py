"""Parts of a CenterNet that have to be there and fit each other."""

from collections.abc import Iterator
from typing import Any

from odapi.config import schema
from odapi.config.findings import Finding, error, warning
from odapi.config.readers import eval_reader

_PATH = "model.center_net"
_CONVERTER = "score_converter"


def find(config: Any) -> Iterator[Finding]:
    """Yields what is missing or contradicts itself."""
    if config.model.WhichOneof("model") != "center_net":
        return
    center_net = config.model.center_net
    if center_net.num_classes < 1:
        yield error(
            f"{_PATH}.num_classes",
            f"must be 1 or more, got {center_net.num_classes}"
            if center_net.HasField("num_classes")
            else "is missing; it counts from 1",
        )
    if not center_net.feature_extractor.type:
        yield error(f"{_PATH}.feature_extractor.type", "is missing")
    yield from _check_heads(center_net)
    yield from _check_losses(center_net)
    yield from _check_class_ids(center_net)
    yield from _check_suppression(center_net)
    yield from _check_keypoints(config, center_net)
    yield from _check_keypoint_metrics(config, center_net)


def _check_heads(center_net: Any) -> Iterator[Finding]:
    for path, owner, field in schema.walk(center_net):
        if not schema.is_message(field) or schema.is_map(field):
            continue
        if schema.short(field.message_type) != "CenterNet.PredictionHeadParams":
            continue
        head = schema.value(owner, field)
        filters, kernels = len(head.num_filters), len(head.kernel_sizes)
        if filters != kernels:
            yield error(
                f"{_PATH}.{path}.num_filters",
                f"has {filters} values, kernel_sizes has {kernels}",
                "give both for each layer before the last",
            )
        for name in ("num_filters", "kernel_sizes"):
            if min(getattr(head, name), default=1) < 1:
                yield error(f"{_PATH}.{path}.{name}", "must be 1 or more")


def _check_losses(center_net: Any) -> Iterator[Finding]:
    loss = center_net.object_detection_task.localization_loss
    kind = loss.WhichOneof("localization_loss")
    if kind in ("weighted_iou", "weighted_giou"):
        yield error(
            f"{_PATH}.object_detection_task.localization_loss.{kind}",
            "compares boxes, but sizes and offsets are no boxes",
            "usual is l1_localization_loss { }",
        )
    path = f"{_PATH}.object_center_params.classification_loss"
    loss = center_net.object_center_params.classification_loss
    kind = loss.WhichOneof("classification_loss")
    if kind is None:
        return
    for name in ("alpha", "beta"):
        needed = kind == "penalty_reduced_logistic_focal_loss"
        if needed and not getattr(loss, kind).HasField(name):
            yield error(f"{path}.{kind}.{name}", "is missing")


def _check_class_ids(center_net: Any) -> Iterator[Finding]:
    """Ids of the label map, which count from 1."""
    most = center_net.num_classes
    deepmac = center_net.deepmac_mask_estimation
    given = [
        (f"deepmac_mask_estimation.allowed_masked_classes_ids[{n}]", class_id)
        for n, class_id in enumerate(deepmac.allowed_masked_classes_ids)
    ]
    for name, class_id in given:
        if not 1 <= class_id <= most:
            yield error(
                f"{_PATH}.{name}",
                f"is {class_id}; class ids are 1 to {most}",
                "they are those of the label map",
            )
    # As in the original, this one alone counts from 0.
    index = center_net.densepose_estimation_task.class_id
    if center_net.HasField("densepose_estimation_task") and not 0 <= index < most:
        yield error(
            f"{_PATH}.densepose_estimation_task.class_id",
            f"is {index}; classes count from 0 to {most - 1} here",
            "it is the id in the label map less 1",
        )


def _check_suppression(center_net: Any) -> Iterator[Finding]:
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


def _check_keypoint_metrics(config: Any, center_net: Any) -> Iterator[Finding]:
    path = "eval_config.parameterized_metric"
    for index, _ in enumerate(config.eval_config.parameterized_metric):
        if not center_net.keypoint_estimation_task:
            yield error(
                f"{path}[{index}]",
                "measures keypoints, and the model finds none",
                "set model.center_net.keypoint_estimation_task, or take it out",
            )
    if not config.eval_config.parameterized_metric:
        return
    for index in range(len(config.eval_input_reader)):
        if not eval_reader(config, index).num_keypoints:
            yield error(
                f"eval_input_reader[{index}].num_keypoints",
                f"is missing, and {path} compares keypoints",
                "set it, or that of train_input_reader",
            )


def _check_keypoints(config: Any, center_net: Any) -> Iterator[Finding]:
    tasks = center_net.keypoint_estimation_task
    if not tasks:
        return
    if not center_net.keypoint_label_map_path:
        yield error(
            f"{_PATH}.keypoint_label_map_path",
            "is missing, and keypoint_estimation_task is set",
            "`odapi data keypoints coco:FILE.json --output DIR` writes one",
        )
    if not config.train_input_reader.num_keypoints:
        yield error(
            "train_input_reader.num_keypoints",
            "is missing: the model learns keypoints, and without it none are read",
        )
    names = [task.task_name for task in tasks]
    for index, task in enumerate(tasks):
        path = f"{_PATH}.keypoint_estimation_task[{index}]"
        if not task.task_name or names.count(task.task_name) > 1:
            yield error(f"{path}.task_name", "each task needs a name of its own")
        kind = task.loss.localization_loss.WhichOneof("localization_loss")
        if kind in ("weighted_iou", "weighted_giou"):
            yield error(
                f"{path}.loss.localization_loss.{kind}",
                "compares boxes, but offsets are no boxes",
                "usual is l1_localization_loss { }",
            )
        if task.predict_depth and not (
            config.train_input_reader.load_keypoint_depth_features
        ):
            yield error(
                f"{path}.predict_depth",
                "the reader does not load depths",
                "set train_input_reader.load_keypoint_depth_features: true",
            )
