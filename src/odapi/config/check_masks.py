"""Masks: that what is to be learnt or measured is loaded, and is found."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error
from odapi.config.load import options
from odapi.config.readers import eval_reader

_METRIC = "coco_mask_metrics"


def find(config: Any) -> Iterator[Finding]:
    """Yields what asks for masks that are not there."""
    center_net = config.model.center_net
    deepmac = center_net.HasField("deepmac_mask_estimation")
    masks = center_net.HasField("mask_estimation_task") or deepmac
    for n, name in enumerate(config.eval_config.metrics_set):
        place = f"eval_config.metrics_set[{n}]"
        if name != _METRIC:
            continue
        if not masks:
            yield error(
                place,
                f"{name} measures masks, and the model finds none",
                "set model.center_net.mask_estimation_task or "
                "model.center_net.deepmac_mask_estimation",
            )
        yield from _check_loaded(config, place)
    if deepmac and center_net.HasField("mask_estimation_task"):
        yield error(
            "model.center_net.deepmac_mask_estimation",
            "and mask_estimation_task both say what the mask of an object is",
            "take one of them out",
        )


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
