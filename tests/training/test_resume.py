"""Resuming a run whose config has changed."""

import pytest

from odapi.config.load import load_config
from odapi.errors import ConfigError
from odapi.training import resume

SAVED = load_config(
    """
    model { ssd { num_classes: 3 } }
    train_config {
      batch_size: 8
      num_steps: 100
      optimizer { momentum_optimizer {} use_moving_average: false }
    }
    [odapi.options] { train_data: "voc:a" seed: 1 }
    """
)


@pytest.mark.parametrize(
    ("override", "same_data"),
    [
        ("train_config.num_steps=200", True),
        (
            "train_config.optimizer.momentum_optimizer.momentum_optimizer_value=0.5",
            True,
        ),
        ("options.evaluation.every_n_steps=7", True),
        ("options.eval_data=voc:b", True),
        (
            "model.ssd.post_processing.batch_non_max_suppression.iou_threshold=0.1",
            True,
        ),
        ("train_config.batch_size=16", False),
        ("options.train_data=voc:b", False),
        ("options.seed=2", False),
    ],
)
def test_what_the_weights_do_not_depend_on_may_change(override, same_data):
    found = resume.differences(SAVED, load_config(SAVED, [override]))
    assert len(found) == 1
    assert resume.same_data(found) == same_data
    lines = resume.lines(found)
    assert lines[0] == "The config differs from that of the run; from now on:"
    assert " -> " in lines[1]
    assert ("  the data starts from the beginning" in lines) == (not same_data)


def test_the_same_config_has_nothing_to_tell():
    found = resume.differences(SAVED, load_config(SAVED))
    assert found == [] and resume.lines(found) == [] and resume.same_data(found)


@pytest.mark.parametrize(
    "override",
    [
        "model.ssd.num_classes=4",
        "train_config.freeze_variables=FeatureExtractor",
        "train_config.optimizer.use_moving_average=true",
        "train_config.optimizer={adam_optimizer {} use_moving_average: false}",
        "options.precision=BFLOAT16",
    ],
)
def test_what_they_depend_on_may_not(override):
    with pytest.raises(ConfigError, match=r"differs from the run in this folder.*->"):
        resume.differences(SAVED, load_config(SAVED, [override]))
