"""Mask metrics need a model that predicts masks and readers that load them."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error
from odapi.config.load import options
from odapi.config.readers import eval_reader

_METRIC = "coco_mask_metrics"


def find(config: Any) -> Iterator[Finding]:
    """Yields mask metrics without masks to compare."""
    for n, name in enumerate(config.eval_config.metrics_set):
        place = f"eval_config.metrics_set[{n}]"
        if name != _METRIC:
            continue
        if not _predicts_masks(config):
            yield error(
                place,
                f"{name} evaluates masks, but the model predicts none",
                "set model.center_net.mask_estimation_task or "
                "model.center_net.deepmac_mask_estimation, or number_of_stages: 3 and "
                "predict_instance_masks: true of a Faster R-CNN",
            )
        yield from _find_unloaded(config, place)


def find_both_tasks(config: Any) -> Iterator[Finding]:
    """Yields two tasks of a CenterNet that both predict masks."""
    center_net = config.model.center_net
    deepmac = center_net.HasField("deepmac_mask_estimation")
    if deepmac and center_net.HasField("mask_estimation_task"):
        yield error(
            "model.center_net.deepmac_mask_estimation",
            "predicts the masks of objects, and so does mask_estimation_task",
            "remove one of the two",
        )


def _predicts_masks(config: Any) -> bool:
    center_net, rcnn = config.model.center_net, config.model.faster_rcnn
    predictor = rcnn.second_stage_box_predictor.mask_rcnn_box_predictor
    return (
        center_net.HasField("mask_estimation_task")
        or center_net.HasField("deepmac_mask_estimation")
        or (rcnn.number_of_stages >= 3 and predictor.predict_instance_masks)
    )


def _find_unloaded(config: Any, place: str) -> Iterator[Finding]:
    for index in range(len(config.eval_input_reader)):
        if not eval_reader(config, index).load_instance_masks:
            yield error(
                f"eval_input_reader[{index}].load_instance_masks",
                f"is false, but {place} compares masks",
                "set it to true, or remove the metric",
            )
    if config.eval_input_reader or not options(config).eval_data:
        return
    if not eval_reader(config).load_instance_masks:
        yield error(
            place,
            "compares masks, and none are loaded: without an eval_input_reader "
            "options.eval_data is read like the training data",
            "--set train_input_reader.load_instance_masks=true",
        )
