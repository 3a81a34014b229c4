"""A config that `odapi config check` accepts trains a step and detects."""

import keras
import numpy as np
import pytest

from config_mutations import Mutator
from odapi.build.detector import build_detector
from odapi.build.optimizer import build_optimizer
from odapi.config import check, schema
from odapi.config.load import load_config
from small_models import small_batch
from weightless import real_configs

# Parts that change: neither the size of the model nor the fields that it learns from.
_PARTS = {
    "ssd": (
        "loss", "matcher", "similarity_calculator", "box_coder", "post_processing",
        "normalize_loss_by_num_matches", "negative_class_weight",
        "encode_background_as_zeros",
    ),
    "faster_rcnn": (
        "second_stage_post_processing", "second_stage_classification_loss",
        "second_stage_batch_size", "second_stage_balance_fraction",
        "first_stage_minibatch_size", "first_stage_nms_iou_threshold",
        "second_stage_localization_loss_weight", "hard_example_miner",
    ),
    "center_net": ("object_detection_task", "object_center_params"),
}  # fmt: skip
_LARGEST = 1e4  # Of a number: products of larger ones overflow, as they should.


def _with_parts(config, changed):
    """Returns `config` with the parts that may change taken from `changed`."""
    result = load_config(config)
    kind = config.model.WhichOneof("model")
    if changed.model.WhichOneof("model") != kind:
        return result
    ours, theirs = (getattr(c.model, kind) for c in (result, changed))
    for name in _PARTS[kind]:
        _copy_field(ours, theirs, name)
    _copy_field(result.train_config, changed.train_config, "optimizer")
    return result


def _copy_field(ours, theirs, name):
    field = ours.DESCRIPTOR.fields_by_name[name]
    ours.ClearField(name)
    if not theirs.HasField(name):
        return
    if schema.is_message(field):
        getattr(ours, name).CopyFrom(getattr(theirs, name))
    else:
        setattr(ours, name, getattr(theirs, name))


def _is_accepted(config):
    if any(f.is_error for f in check.find(config, for_data=False)):
        return False
    for _, owner, field in schema.walk(config.model):
        value = schema.value(owner, field)
        if isinstance(value, int | float) and abs(value) > _LARGEST:
            return False
    return True


def _accepted(configs, family, seed, count=4):
    """Returns a small config after `count` random changes that the check accepts."""
    mutator = Mutator(list(configs.values()), seed)
    config, done = configs[f"small/{family}"], 0
    while done < count:
        changed = _with_parts(config, mutator.mutate(config)[0])
        if changed != config and _is_accepted(changed):
            config, done = changed, done + 1
    return config


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "seed"),
    [
        *(("ssd", seed) for seed in range(5)),
        *(("fpn", seed) for seed in range(5, 8)),
        *(("rcnn", seed) for seed in (8, 9)),
        *(("center", seed) for seed in (10, 11)),
    ],
)
def test_accepted_configs_train(shared, family, seed):
    config = _accepted(real_configs(shared), family, seed)
    detector = build_detector(config, seed=1)
    # A step that runs once is faster without compilation.
    detector.compile(build_optimizer(config).optimizer, run_eagerly=True)
    x, y = small_batch()
    logs = detector.train_on_batch(x, y, return_dict=True)
    assert logs and all(np.isfinite(value) for value in logs.values()), logs
    weights = [keras.ops.convert_to_numpy(w) for w in detector.trainable_variables]
    assert all(np.isfinite(w).all() for w in weights)
    found = detector.predict_on_batch(x)
    assert np.isfinite(found["scores"]).all() and np.isfinite(found["boxes"]).all()
