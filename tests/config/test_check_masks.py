"""Findings about configs that need masks which the data does not have."""

import pytest

from odapi.config.check import find
from small_models import small_config

_MASKS = "model.center_net.mask_estimation_task.classification_loss.weighted_sigmoid={}"
_DEEPMAC = "model.center_net.deepmac_mask_estimation"
_LOADED = "train_input_reader.load_instance_masks=true"
_METRIC = "eval_config.metrics_set=[coco_mask_metrics]"


def told(*settings):
    config = small_config("center", *settings)
    return [str(f) for f in find(config, for_training=False, for_data=False)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((_METRIC,), "evaluates masks, but the model predicts none"),
        (
            (_METRIC, _MASKS, "eval_input_reader=[{}]"),
            "eval_input_reader[0].load_instance_masks: is false",
        ),
        (
            (
                _METRIC,
                _MASKS,
                _LOADED,
                "eval_input_reader=[{load_instance_masks: false}]",
            ),
            "eval_input_reader[0].load_instance_masks: is false",
        ),
        (
            (_METRIC, _MASKS, "options.eval_data=coco:a.json"),
            "eval_config.metrics_set[0]: compares masks, and none are loaded",
        ),
        (
            (_MASKS, f"{_DEEPMAC}.classification_loss.weighted_sigmoid={{}}"),
            "and so does mask_estimation_task",
        ),
    ],
)
def test_it_is_told(settings, message):
    assert any(message in text for text in told(*settings))


@pytest.mark.parametrize(
    "loaded",
    [
        ("eval_input_reader=[{load_instance_masks: true}]",),
        (_LOADED, "eval_input_reader=[{}]"),
        (_LOADED, "options.eval_data=coco:a.json"),
    ],
)
def test_what_fits_is_not(loaded):
    assert not [t for t in told(_METRIC, _MASKS, *loaded) if "mask" in t]
