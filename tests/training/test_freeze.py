"""Frozen variables, by our names and by those of old configs."""

import pytest

from odapi.errors import ConfigError
from odapi.training.freeze import freeze
from tiny_detector import TinyDetector

ALL = {
    "feature_extractor/backbone/conv/kernel",
    "feature_extractor/backbone/conv/bias",
    "feature_extractor/norm/gamma",
    "feature_extractor/norm/beta",
    "box_predictor/head/kernel",
    "box_predictor/head/bias",
}
HEAD = {n for n in ALL if n.startswith("box")}
CONV = {n for n in ALL if "conv" in n}
KEYS = {n: f"model/_feature_extractor/{i}/kernel" for i, n in enumerate(sorted(CONV))}


def trainable(detector):
    return {n for n, v in detector.named_variables().items() if v.trainable}


@pytest.mark.parametrize(
    ("frozen", "trained", "left"),
    [
        ((), (), ALL),
        (["backbone"], (), ALL - CONV),
        (["FeatureExtractor"], (), HEAD),
        ([".*/weights", ".*/biases"], (), {n for n in ALL if "norm" in n}),
        (["^model/_feature_extractor/"], (), ALL - CONV),
        ((), ["BoxPredictor"], HEAD),
        # The excluded word is in one of the names only.
        (["^(?!.*BoxPredictor)"], (), HEAD),
        (["^(?!box_predictor).*$"], (), HEAD),
        (["^((?!FeatureExtractor).)*$"], (), ALL - HEAD),
        (["^(?!.*_feature_extractor/)"], (), CONV),
        (["FeatureExtractor/(?!.*conv)"], (), HEAD | CONV),
        (["(?<!/head)/kernel$"], (), ALL - CONV),
        (["(?<![)(])^(?!.*[)]|.*\\(|.*BoxPredictor).*"], (), HEAD),
        ((), ["^(?!.*FeatureExtractor)"], HEAD),
        (["bias$"], ["head", "conv"], {n for n in HEAD | CONV if "kernel" in n}),
    ],
)
def test_patterns_choose_what_is_trained(frozen, trained, left):
    detector = TinyDetector()
    lines = freeze(detector, frozen, trained, KEYS)
    assert trainable(detector) == left
    assert {id(v) for n, v in detector.named_variables().items() if n in left} == {
        id(v) for v in detector.trainable_variables
    }
    assert bool(lines) == (left != ALL)


def test_what_was_frozen_is_told():
    assert freeze(TinyDetector(), ["conv", "norm"]) == [
        "Frozen: 4 of 6 trainable variables, 240 of 294 parameters",
        "  frozen   feature_extractor/backbone (2), feature_extractor/norm (2)",
        "  trained  box_predictor/head (2)",
    ]


@pytest.mark.parametrize(
    ("frozen", "trained", "message"),
    [
        (
            ["conv", "resnet"],
            (),
            r"freeze_variables\[1\]: 'resnet' matches no variable\n.*"
            r"backbone/conv/kernel, FeatureExtractor/backbone/conv/weights",
        ),
        ((), ["heads"], r"update_trainable_variables\[0\]: 'heads' matches"),
        (["("], (), r"freeze_variables\[0\]: '\(' is not a regular expression"),
        (["^(?!.*(FeatureExtractor|box_predictor))"], (), "matches no variable"),
        (["(?!"], (), "is not a regular expression"),
        ([".*"], (), "no variable is left to train: all 6 are frozen"),
    ],
)
def test_patterns_that_do_nothing_or_all_are_refused(frozen, trained, message):
    with pytest.raises(ConfigError, match=message):
        freeze(TinyDetector(), frozen, trained)


def test_frozen_variables_stay_and_the_others_learn(run):
    run.detector = TinyDetector()
    freeze(run.detector, ["conv"])
    from odapi.checkpoints.weights import values

    before = values(run.detector.named_variables())
    run(3)
    changed = {
        n
        for n, v in values(run.detector.named_variables()).items()
        if (v != before[n]).any()
    }
    assert changed & ALL == ALL - CONV
