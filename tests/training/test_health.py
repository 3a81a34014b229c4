"""Health checks: each is found where it is, and nowhere else."""

import collections
import json

import numpy as np
import pytest

from odapi.build.detector import build_detector
from odapi.config.check import find
from odapi.config.load import load_config
from odapi.config.rules import training
from odapi.config.rules.choices import HEALTH_CHECKS
from odapi.data.survey import Survey
from odapi.models.normalized_maps import smallest_normalized_map
from odapi.report.history import History
from odapi.training.callbacks.zero_map import find_zero_map
from odapi.training.health import (
    find_health,
    missed_objects,
    no_class_overlap,
    small_batch_norm,
    vanishing_objects,
)
from tiny_samples import train_config

METRIC = "DetectionBoxes_Precision/mAP"


def surveyed(side_px=20, classes=(0,), number=20, width_px=None, image=64):
    """Returns the survey of objects of one size, in the middle of square images."""
    half = np.array([side_px, width_px or side_px]) / image / 2
    box = np.concatenate([0.5 - half, 0.5 + half])
    return Survey(
        "x",
        number,
        checked=number,
        boxes=np.tile(box, (number, 1)),
        sizes=np.full((number, 2), image),
        classes=collections.Counter(dict.fromkeys(classes, number)),
        declared=("cat", "dog", "owl"),
    )


@pytest.fixture(scope="module")
def detector():
    return build_detector(train_config("ssd"), seed=0)


def test_classes_without_overlap():
    found = no_class_overlap(surveyed(classes=(0, 1)), surveyed(classes=(2,)))
    assert found.check == "no_class_overlap"
    assert "(cat, dog) is in the evaluation data (owl)" in found.problem
    assert no_class_overlap(surveyed(classes=(0, 1)), surveyed(classes=(1, 2))) is None
    assert no_class_overlap(surveyed(), surveyed(classes=())) is None


@pytest.mark.parametrize(
    ("side", "number", "is_found"),
    # The stride of the first map of an SSD is 16 pixels.
    [(15, 20, True), (16, 20, False), (15, 9, False)],
)
def test_objects_below_the_stride(side, number, is_found):
    found = vanishing_objects(train_config("ssd"), surveyed(side, number=number))
    assert (found is not None) == is_found


def test_objects_are_measured_after_resizing():
    config = train_config("ssd")  # To 64 x 64.
    found = vanishing_objects(config, surveyed(60, image=640))
    assert found.problem == (
        "20 of 20 objects are smaller than the stride of the finest feature map, 16 "
        "pixels, after resizing; the median is 6 x 6"
    )


def test_anchors_that_miss_objects(detector):
    config = train_config("ssd")
    assert missed_objects(config, surveyed(58), detector) is None
    found = missed_objects(config, surveyed(3, width_px=60), detector)
    assert found.problem.startswith("100% of the objects have no anchor with an IoU of")
    assert missed_objects(config, surveyed(3, width_px=60, number=9), detector) is None


def test_center_net_has_no_anchors_that_miss_objects(detector):
    config = train_config("center")
    assert missed_objects(config, surveyed(3, width_px=60), detector) is None


@pytest.mark.parametrize(
    ("batch_size", "is_found"), [(2, True), (3, False), (0, False)]
)
def test_batch_norms_of_few_values(detector, batch_size, is_found):
    # The smallest map of three, 64 / 16 / 2 / 2 = 1 x 1, in batches of 2.
    found = small_batch_norm(detector, batch_size)
    assert (found is not None) == is_found


def test_maps_inside_a_backbone_may_be_the_smallest():
    # Maps of stride 4, 16 x 16; those of stride 32 within the backbone are 2 x 2.
    detector = build_detector(train_config("center"), seed=0)
    smallest = smallest_normalized_map(detector)
    assert (smallest.height, smallest.width) == (2, 2)
    assert small_batch_norm(detector, 1).problem.endswith(
        f"2 x 2 in {smallest.layer}, has 4 values per channel"
    )
    assert small_batch_norm(detector, 2) is None


def test_frozen_batch_norms_may_have_few_values():
    config = train_config("ssd", "model.ssd.freeze_batchnorm=true")
    assert small_batch_norm(build_detector(config, seed=0), 1) is None


def test_checks_are_turned_off_by_name(detector):
    config = train_config("ssd", "train_config.batch_size=8")
    bad = (surveyed(3, width_px=60), surveyed(classes=(2,)))
    names = [f.check for f in find_health(config, detector, *bad)]
    assert names == ["no_class_overlap", "missed_objects"]
    config = load_config(config, ["options.health.allow=missed_objects"])
    names = [f.check for f in find_health(config, detector, *bad)]
    assert names == ["no_class_overlap"]
    assert find_health(config, detector) == []


RATE = (
    "train_config.optimizer.momentum_optimizer.learning_rate.cosine_decay_learning_rate"
)
COSINE = f"{RATE}={{learning_rate_base: 0.08 warmup_learning_rate: 0.01}}"


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        (["train_config.batch_size=128", f"{RATE}.warmup_steps=100"], []),
        (["train_config.batch_size=64", f"{RATE}.warmup_steps=100"], []),
        (["train_config.batch_size=8", f"{RATE}.warmup_steps=100"],
         ["high_learning_rate"]),
        (["train_config.batch_size=128", f"{RATE}.warmup_steps=1000"],
         ["long_warmup"]),
        (["train_config.batch_size=128", "train_config.num_steps=2000",
          f"{RATE}.warmup_steps=100"], ["schedule_length"]),
    ],
)  # fmt: skip
def test_the_learning_rate(overrides, names):
    settings = [f"{RATE}.total_steps=1000", "train_config.num_steps=1000"]
    config = train_config("ssd", COSINE, *settings, *overrides)

    def found(config):
        checks = [f.check for f in find(config, for_data=False)]
        return [name for name in checks if name and name != "slow_batch_norm"]

    assert found(config) == names
    allowed = [f"options.health.allow={name}" for name in names]
    assert found(load_config(config, allowed)) == []


@pytest.mark.parametrize(("step", "is_found"), [(4999, False), (5000, True)])
def test_a_manual_schedule_that_is_far_too_long(step, is_found):
    schedule = (
        "manual_step_learning_rate={initial_learning_rate: 0.001 "
        f"schedule {{step: 500}} schedule {{step: {step}}} schedule {{step: 9999}}}}"
    )
    path = RATE.replace("cosine_decay_learning_rate", schedule)
    config = train_config("ssd", path, "train_config.num_steps=1000")
    found = [f for f in find(config, for_data=False) if f.check == "schedule_length"]
    assert [f.path.rpartition(".schedule")[2] for f in found] == ["[1].step"] * is_found


def test_published_configs_have_no_findings(shared):
    paths = [p for f in ("tf1", "tf2") for p in (shared / "configs" / f).iterdir()]
    paths = [p for p in paths if p.suffix == ".config"]
    assert len(paths) == 91
    found = [str(f) for p in paths for f in training.find(load_config(p)) if f.check]
    assert found == []


def test_an_unknown_health_check_is_an_error():
    config = train_config("ssd", "options.health.allow=zero_mapp")
    [error] = [f for f in find(config, for_data=False) if f.is_error]
    assert error.path == "options.health.allow[0]"
    assert error.hint == "did you mean 'zero_map'?"


def test_evaluation_on_training_data_has_a_name(tmp_path):
    (tmp_path / "train.json").write_text("{}")
    spec = f"coco:{tmp_path / 'train.json'}"
    config = train_config("ssd", f"options.train_data={spec}")
    config = load_config(config, [f"options.eval_data={spec}"])
    assert "evaluates_training" in [f.check for f in find(config)]
    config = load_config(config, ["options.health.allow=evaluates_training"])
    assert "evaluates_training" not in [f.check for f in find(config)]


def history(tmp_path, maps, losses):
    """Returns a history with an evaluation every 10 steps and a loss every 5."""
    rows = [
        {"step": 10 * (i + 1), "metrics": {METRIC: value}}
        for i, value in enumerate(maps)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    rows = [
        {"step": 5 * (i + 1), "losses": {"Loss/total_loss": value}}
        for i, value in enumerate(losses)
    ]
    (tmp_path / "losses.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return History(tmp_path, 10_000)


@pytest.mark.parametrize(
    ("maps", "losses", "is_found"),
    [
        ([0.0, 0.0, 0.0], [4, 4, 3, 3, 2, 2], True),
        ([0.0, 0.0, 0.0005], [4, 4, 3, 3, 2, 2], True),
        ([0.0, 0.0], [4, 4, 3, 3], False),  # Too early.
        ([0.0, 0.0, 0.002], [4, 4, 3, 3, 2, 2], False),
        ([0.0, 0.0, 0.0], [4, 4, 4, 4, 4, 3.5], False),  # It does not learn.
        ([0.0, 0.0, 0.0], [], False),
        ([float("nan")] * 3, [4, 4, 3, 3, 2, 2], False),  # No object to detect.
    ],
)
def test_a_map_of_zero_while_the_loss_falls(tmp_path, maps, losses, is_found):
    found = find_zero_map(history(tmp_path, maps, losses), METRIC)
    assert bool(found) == is_found


def test_a_training_says_so_once(run, capsys):
    run(24, scores=lambda step: 0.0, evaluate_every=4, log_every=2, rate=0.1)
    assert capsys.readouterr().err.replace("\n", " ").count("[zero_map]") == 1
    run.model_dir = run.model_dir / "other"
    run.detector = run.pipeline = None
    run(24, scores=lambda step: 0.0, evaluate_every=4, log_every=2, rate=0.1,
        allow=("zero_map",))  # fmt: skip
    assert "[zero_map]" not in capsys.readouterr().err


def test_every_check_is_documented(root):
    page = (root / "docs" / "training.md").read_text()
    table = page.split("## Health checks")[1].split("\n## ")[0]
    for name in HEALTH_CHECKS:
        assert f"| `{name}` |" in table
