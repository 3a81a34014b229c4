"""Masks: that what is to be learnt or measured is loaded, and is found."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error, warning
from odapi.config.load import options
from odapi.config.readers import eval_reader

_METRIC = "coco_mask_metrics"


def find(config: Any) -> Iterator[Finding]:
    """Yields what asks for masks that are not there."""
    center_net = config.model.center_net
    deepmac = center_net.HasField("deepmac_mask_estimation")
    masks = center_net.HasField("mask_estimation_task") or deepmac
    masks = masks or finds_masks(config.model.faster_rcnn)
    for n, name in enumerate(config.eval_config.metrics_set):
        place = f"eval_config.metrics_set[{n}]"
        if name != _METRIC:
            continue
        if not masks:
            yield error(
                place,
                f"{name} measures masks, and the model finds none",
                "set model.center_net.mask_estimation_task or "
                "model.center_net.deepmac_mask_estimation, or number_of_stages: 3 and "
                "predict_instance_masks: true of a Faster R-CNN",
            )
        yield from _check_loaded(config, place)
    yield from _check_stages(config.model.faster_rcnn)
    if deepmac and center_net.HasField("mask_estimation_task"):
        yield error(
            "model.center_net.deepmac_mask_estimation",
            "and mask_estimation_task both say what the mask of an object is",
            "take one of them out",
        )


def _check_stages(rcnn: Any) -> Iterator[Finding]:
    predictor = rcnn.second_stage_box_predictor.mask_rcnn_box_predictor
    for name in ("predict_instance_masks", "predict_keypoints"):
        if getattr(predictor, name) and rcnn.number_of_stages < 3:
            yield warning(
                "model.faster_rcnn.second_stage_box_predictor.mask_rcnn_box_predictor."
                + name,
                "has no effect: only a third stage looks for that; "
                f"number_of_stages is {rcnn.number_of_stages}",
            )


def finds_masks(rcnn: Any) -> bool:
    """Returns whether a `FasterRcnn` message has masks in its third stage."""
    predictor = rcnn.second_stage_box_predictor.mask_rcnn_box_predictor
    return rcnn.number_of_stages >= 3 and predictor.predict_instance_masks


def _check_loaded(config: Any, place: str) -> Iterator[Finding]:
    for index in range(len(config.eval_input_reader)):
        if not eval_reader(config, index).load_instance_masks:
            yield error(
                f"eval_input_reader[{index}].load_instance_masks",
                f"is false, but {place} compares masks",
                "set it to true, or take the metric out",
            )
    if config.eval_input_reader or not options(config).eval_data:
        return
    if not eval_reader(config).load_instance_masks:
        yield error(
            place,
            "compares masks, and none are loaded: without an eval_input_reader "
            "options.eval_data is read as the training data are",
            "--set train_input_reader.load_instance_masks=true",
        )
