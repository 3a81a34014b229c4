"""`odapi train --dry-run`: the plan of a training, and no trace of it."""

import numpy as np
import pytest
from keras import ops

import odapi
from odapi.errors import ConfigError, DataError, DivergedError
from odapi.runtime.memory import Memory
from odapi.structures import Batch, Detections, Groundtruth, ImageInfo
from odapi.training import memory_estimate, parts
from odapi.training.dry_run import DryRun, data_lines
from tiny_detector import TinyDetector
from tiny_samples import CLASSES, make_samples, train_config

_OVERRIDES = ("model.ssd.image_resizer.fixed_shape_resizer={height: 16 width: 16}",)

_OF_TWO = "in the first batch of 2 images,"


@pytest.fixture
def rehearse(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "build_detector", lambda c, seed: TinyDetector(2, seed))

    def call(*overrides, dry_run=True, **arguments):
        arguments = {"train_data": make_samples(4, 16), "classes": CLASSES} | arguments
        return odapi.train(
            train_config("ssd", *_OVERRIDES),
            tmp_path / "run",
            overrides,
            dry_run=dry_run,
            **arguments,
        )

    call.folder = tmp_path / "run"
    return call


def test_the_plan_is_returned_and_nothing_is_written(rehearse, capsys):
    plan = rehearse("train_config.num_steps=30")
    assert not rehearse.folder.exists()
    assert isinstance(plan, DryRun)
    # 30 steps of 2 images are 15 passes over 4 images.
    assert (plan.num_steps, plan.batch_size, plan.images) == (30, 2, 4)
    assert (plan.epochs, plan.first_step, plan.eval_images) == (15.0, 0, None)
    assert plan.losses["Loss/total_loss"] > 0
    assert plan.seconds_in_all == 30 * plan.seconds_per_step > 0
    assert plan.data == [
        "2 boxes in the first batch of 2 images, 0 of them without objects"
    ]
    assert plan.warnings == []
    shown = capsys.readouterr().err
    assert "Dry run: nothing was trained, nothing was written" in shown
    assert "Steps: 30 steps of 2 images, 15 epochs of 4 images; no evaluation" in shown
    assert plan.as_dict()["epochs"] == 15.0


def test_too_little_memory_is_a_warning(rehearse, monkeypatch, capsys):
    little = Memory(1024**2, 1024**2, "memory")
    monkeypatch.setattr(memory_estimate, "training_memory", lambda: little)
    rehearse()
    shown = " ".join(capsys.readouterr().err.split())
    assert shown.count("MemoryWarning: about") == 1
    assert "are needed for batches of 2, and there are 1 MB of memory" in shown


class Blind(TinyDetector):
    """Detects nothing."""

    def decode(self, inputs, outputs, raw=False):
        nothing = outputs["classes"][:, :1] * 0
        return Detections(
            boxes=outputs["boxes"][:, None] * 0,
            scores=nothing,
            classes=ops.cast(nothing, "int32"),
            num=ops.cast(nothing[:, 0], "int32"),
        )


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_advice_to_train_longer_is_left_to_trainings(
    rehearse, monkeypatch, capsys, dry_run
):
    monkeypatch.setattr(parts, "build_detector", lambda c, seed: Blind(2, seed))
    rehearse(dry_run=dry_run, eval_data=make_samples(4, 16))
    shown = " ".join(capsys.readouterr().err.split())
    assert ("no objects were detected" in shown) != dry_run


def test_a_run_that_would_be_resumed_is_left_as_it_is(rehearse):
    rehearse(dry_run=False)
    before = {p: p.stat().st_mtime_ns for p in rehearse.folder.rglob("*")}
    plan = rehearse(num_steps=10)
    assert (plan.first_step, plan.num_steps) == (2, 10)
    assert {p: p.stat().st_mtime_ns for p in rehearse.folder.rglob("*")} == before


def test_mistakes_are_found_as_in_a_training(rehearse):
    with pytest.raises(DataError, match="samples need the names of their classes"):
        rehearse(classes=None, train_data=[])
    with pytest.raises(ConfigError, match="which does not divide"):
        rehearse("options.gradient_accumulation=3")
    assert not rehearse.folder.exists()


def _batch(**fields):
    valid = np.array([[True, False], [True, True]])
    truth = Groundtruth(
        boxes=np.zeros((2, 2, 4), "float32"),
        classes=np.zeros((2, 2), "int32"),
        valid=valid,
        weights=valid.astype("float32"),
    )
    sizes = np.full((2, 2), 4, "int32")
    return Batch(
        images=np.zeros((2, 4, 4, 3), "uint8"),
        info=ImageInfo(sizes, sizes),
        groundtruth=truth._replace(**fields),
        image_ids=("a", "b"),
    )


def test_the_data_is_compared_with_what_the_model_learns():
    masks = np.zeros((2, 2, 4, 4), "uint8")
    masks[1, 0, 1, 1] = 1
    lines, warnings = data_lines(_batch(masks=masks), ("masks",))
    assert lines[1] == "masks: of 1 of 3 objects"
    assert warnings == []
    lines, warnings = data_lines(_batch(masks=masks * 0), ("masks",))
    assert lines[1] == "masks: of 0 of 3 objects"
    assert [w.split(":")[0] for w in warnings] == ["MissingFieldWarning"]
    points = np.full((2, 2, 5, 2), np.nan, "float32")
    points[0, 0, 2] = 0.5
    lines, warnings = data_lines(_batch(keypoints=points), ("keypoints",))
    assert lines[1] == "keypoints: of 1 of 3 objects"


def test_a_batch_without_objects_is_told():
    empty = np.zeros((2, 2), bool)
    lines, warnings = data_lines(_batch(valid=empty), ())
    assert lines == [
        "0 boxes in the first batch of 2 images, 2 of them without objects"
    ]
    assert warnings[0].startswith("NoObjectsWarning")


def test_a_loss_that_is_not_finite_fails(rehearse, monkeypatch):
    class Broken(TinyDetector):
        def loss_parts(self, *arguments, **keywords):
            return {
                name: value * np.nan
                for name, value in super().loss_parts(*arguments, **keywords).items()
            }

    monkeypatch.setattr(parts, "build_detector", lambda c, seed: Broken(2, seed))
    with pytest.raises(DivergedError, match=r"the first batch: .* is nan"):
        rehearse()
