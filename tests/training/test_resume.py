"""Resuming a run whose config has changed."""

import keras
import pytest

from odapi.checkpoints import folder as folders
from odapi.checkpoints import training_state
from odapi.checkpoints.weights import save_weights
from odapi.config.load import load_config
from odapi.data.image.resize import FixedShape
from odapi.data.loader.collate import Collate
from odapi.data.loader.pipeline import Pipeline
from odapi.data.problems import Problems
from odapi.errors import CheckpointError, ConfigError
from odapi.training import resume
from tiny_detector import LABEL_MAP, TinyDetector

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


class Source(list):
    """Samples that nobody reads."""

    name, label_map = "source", LABEL_MAP


POSITION = {"position": {"next_index": 8}, "seed": 0, "num_images": 9}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": ...}, "it has no 'seed'"),
        ({"num_images": ...}, "it has no 'num_images'"),
        ({"position": ...}, "it has no 'position'"),
        ({"position": {}}, "it has no 'next_index'"),
        ({"position": None}, ""),
        ({"position": {"next_index": "8"}}, ""),
        ({"position": {"next_index": -1}}, ""),
    ],
)
def test_a_position_without_a_part_of_it(tmp_path, change, reason):
    detector, optimizer = TinyDetector(), keras.optimizers.SGD()
    optimizer.build(detector.trainable_variables)
    position = {k: v for k, v in (POSITION | change).items() if v is not ...}
    save_weights(detector, tmp_path / folders.WEIGHTS)
    facts = {"step": 2, "data": position}
    training_state.save(tmp_path, detector, optimizer, facts)
    collate = Collate(2, max_boxes=1, problems=Problems())
    pipeline = Pipeline(Source(range(9)), FixedShape(8, 8), collate)
    point = resume.ResumePoint(tmp_path)
    with pipeline, pytest.raises(CheckpointError) as caught:
        resume.restore(point, detector, optimizer, pipeline)
    assert caught.value.place == str(tmp_path / training_state.FACTS)
    assert caught.value.problem.startswith(
        f"is damaged: its position in the data cannot be used: {reason}"
    )
    assert caught.value.hint == (
        "to start the data from the beginning, resume with another --seed"
    )
