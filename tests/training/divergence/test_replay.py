"""A step that diverges is saved as it was before it, and explained when repeated."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_arrays, load_weights
from odapi.errors import CheckpointError, DivergedError
from odapi.training.divergence import saved_step
from odapi.training.divergence.advice import advice_for
from odapi.training.divergence.replay import explain, replay
from tiny_detector import TinyDetector, TinyPipeline


class RootDetector(TinyDetector):
    """Its third step has a finite loss, whose gradient is 0 / 0."""

    def loss_parts(self, outputs, groundtruth, inputs=None, training=False):
        parts = super().loss_parts(outputs, groundtruth, inputs, training)
        is_zero = ops.cast(ops.max(inputs["images"]) > 0, "float32")
        root = ops.sqrt(ops.mean(ops.square(outputs["boxes"] * is_zero)))
        return parts | {"Loss/localization_loss": root}


class SteepDetector(TinyDetector):
    """Its loss is finite, and has a gradient whose square is infinite."""

    def loss_parts(self, outputs, groundtruth, inputs=None, training=False):
        parts = super().loss_parts(outputs, groundtruth, inputs, training)
        boxes = outputs["boxes"]
        steep = ops.sum(boxes - ops.stop_gradient(boxes)) * 1e20
        return parts | {"Loss/localization_loss": steep}


class Scaled(keras.layers.Layer):
    """0 / 0 for an image without light."""

    def call(self, x):
        return x / ops.max(x)


class ScalingDetector(TinyDetector):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scaled = Scaled(name="scaled")

    def call(self, inputs, training=False):
        images = self.scaled(ops.cast(inputs["images"], "float32"))
        return super().call({"images": images * 255.0}, training)


class DarkPipeline(TinyPipeline):
    """The third batch is black."""

    def __iter__(self):
        for batch in super().__iter__():
            if self.next == 3:
                batch = batch._replace(images=np.zeros_like(batch.images))
            yield batch


def diverge(run, num_steps=6, **options):
    with pytest.raises(DivergedError) as raised:
        run(num_steps=num_steps, decay=0.9, **options)
    found = sorted((run.model_dir / "nan").glob("step-*"))
    assert f"odapi train --replay {found[-1]}" in raised.value.hint
    return raised.value, found[-1]


def repeated(folder, detector):
    load_weights(detector, folder / folders.WEIGHTS)
    return explain(folder, detector)


def arrays(folder):
    names = (folders.WEIGHTS, folders.AVERAGES, "training_state.h5")
    return {f"{n}/{k}": v for n in names for k, v in load_arrays(folder / n).items()}


@pytest.mark.backend
@pytest.mark.parametrize("factor", [np.nan, np.inf])
def test_the_state_before_the_step_is_saved(run, tmp_path, factor):
    run(num_steps=4, decay=0.9)
    before = folders.latest(run.model_dir)
    expected = arrays(before)
    run.detector = run.pipeline = None
    run.model_dir = tmp_path / "diverged"
    run.pipeline = TinyPipeline()
    run.pipeline.bad_at = {4: factor}
    _, folder = diverge(run)
    assert folder.name == "step-00000005"
    got = arrays(folder)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        if "moving" not in name:  # Not read in training.
            np.testing.assert_array_equal(got[name], value, err_msg=name)
    facts = json.loads((folder / "training_state.json").read_text())
    assert (facts["step"], facts["data"]) == (4, {"next": 4})
    result = repeated(folder, TinyDetector(dropout=0.5))
    assert result.culprit.kind == "input"
    assert result.culprit.name.startswith("boxes of image-4-0, image-4-1")
    assert result.saved.has_state_before
    assert "odapi data inspect" in result.advice
    assert result.notes[0] == "image image-4-0: boxes has NaN or infinite values"
    json.dumps(result.as_dict(), allow_nan=False)


@pytest.mark.backend
def test_a_gradient_that_is_not_finite_stops_a_run_with_finite_losses(run):
    run.detector, run.pipeline = RootDetector(), DarkPipeline()
    error, folder = diverge(run)
    assert error.place == "step 3"
    assert error.problem.startswith(
        "the losses are finite, but a gradient is NaN, infinite or too large; images "
        "of this step: image-2-0"
    )
    result = repeated(folder, RootDetector())
    assert (result.culprit.kind, result.culprit.name) == (
        "gradient",
        "box_predictor/head/bias",
    )
    assert result.losses["Loss/localization_loss"] == 0.0
    assert result.losses["Loss/total_loss"] == pytest.approx(
        result.saved.losses["Loss/total_loss"], rel=1e-4
    )


@pytest.mark.backend
def test_a_gradient_with_an_infinite_square_stops_a_run_before_weights_change(run):
    run.detector = SteepDetector()
    error, folder = diverge(run)
    assert error.place == "step 1"
    assert "a gradient is NaN, infinite or too large" in error.problem
    result = repeated(folder, SteepDetector())
    assert result.saved.has_state_before
    assert result.culprit.kind == "gradient"
    assert result.culprit.name == "box_predictor/head/bias"
    assert result.advice.startswith("gradients reach ")
    assert "batch norms see few values" in result.advice


def test_a_gradient_beside_huge_outputs_is_an_explosion(run):
    run.detector, run.pipeline = RootDetector(), DarkPipeline()
    run.detector.head.bias.assign(np.full(6, 1e10))
    _, folder = diverge(run)
    result = repeated(folder, RootDetector())
    assert result.culprit.kind == "gradient"
    assert result.advice.startswith("outputs of layers reach 1e+10: the training had")
    assert "mistake of odapi" not in result.advice


@pytest.mark.parametrize(
    ("kind", "largest", "said"),
    [
        ("gradient", 9e5, "mistake of odapi"),
        ("gradient", 1e6, "outputs of layers reach 1e+06"),
        ("loss", 2e19, "outputs of layers reach 2e+19"),
        ("layer", 3e21, "the learning rate of the step was 0.25"),
        ("layer", 1.0, "divides by zero"),
        ("input", 1e10, "odapi data inspect"),
        ("", 1e10, "nothing is infinite or NaN"),
    ],
)
def test_the_advice_looks_at_magnitudes_first(kind, largest, said):
    saved = saved_step.SavedStep(3, {}, "", learning_rate=0.25)
    assert said in advice_for(kind, saved, largest)


@pytest.mark.backend
def test_the_first_layer_is_named(run):
    run.detector, run.pipeline = ScalingDetector(), DarkPipeline()
    _, folder = diverge(run)
    result = repeated(folder, ScalingDetector())
    assert (result.culprit.kind, result.culprit.name) == ("layer", "scaled")
    text = "\n".join(result.lines())
    assert "First tensor that is not finite or too large: layer scaled" in text
    assert "Scaled returns shape [4, 16, 16, 3], 3072 of 3072 NaN" in text
    assert "its input: shape [4, 16, 16, 3], finite values 0 to 0" in text
    # The rectifier of TensorFlow turns NaN into 0: the loss may be finite.
    assert result.losses.keys() == result.saved.losses.keys()


def test_weights_that_were_bad_before_are_named(run):
    run.detector = TinyDetector()
    run.detector.head.bias.assign(np.full(6, np.nan))
    _, folder = diverge(run)
    result = repeated(folder, TinyDetector())
    assert folder.name == "step-00000001"
    assert (result.culprit.kind, result.culprit.name) == (
        "weight",
        "box_predictor/head/bias",
    )


def test_an_explosion_in_steps_is_saved_as_it_was_before(run):
    run.pipeline = TinyPipeline()
    run.pipeline.bad_at = {3: 20.0, 4: 200.0}
    _, folder = diverge(run, rate=1e-6)
    assert folder.name == "step-00000005"
    result = repeated(folder, TinyDetector(dropout=0.5))
    assert result.saved.has_state_before
    assert result.culprit is None
    assert "All tensors of the repeated step are finite." in result.lines()
    assert any("large gradient: box_predictor/head" in note for note in result.notes)
    assert any("boxes far outside the image: 1 of 1" in note for note in result.notes)


def test_a_sudden_explosion_is_saved_as_it_was_after(run):
    run.pipeline = TinyPipeline()
    run.pipeline.bad_at = {4: 1e6}
    _, folder = diverge(run, rate=1e-9)
    result = repeated(folder, TinyDetector(dropout=0.5))
    assert not result.saved.has_state_before
    assert any("from after the step" in note for note in result.notes)


def test_the_number_of_saved_steps_is_bounded(run):
    for step in range(4):
        run.detector = None
        run.pipeline = TinyPipeline()
        run.pipeline.bad_at = {step: np.nan}
        diverge(run)
    names = sorted(f.name for f in (run.model_dir / "nan").iterdir())
    assert names == ["step-00000003", "step-00000004"]


def test_a_full_disk_is_reported_in_the_error(run, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved_step, "save_weights", full)
    run.pipeline = TinyPipeline()
    run.pipeline.bad_at = {2: np.nan}
    with pytest.raises(DivergedError) as raised:
        run()
    assert raised.value.hint.startswith(
        "the step could not be saved to repeat it: could not be written: No space left "
        "on device; the learning rate is 0.05"
    )
    assert not list((run.model_dir / "nan").iterdir())


def test_a_run_may_go_without(run):
    run.pipeline = TinyPipeline()
    run.pipeline.bad_at = {2: np.nan}
    with pytest.raises(DivergedError) as raised:
        run(save_diverged=False)
    assert "--replay" not in raised.value.hint
    assert not (run.model_dir / "nan").exists()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "step.json").unlink(), "is no saved step: it has no step.json"),
        (lambda f: (f / "step.json").write_text("{"), "not valid JSON"),
        (lambda f: (f / "step.json").write_text("{}"), "is damaged: 'image_ids'"),
        (lambda f: (f / "batch.h5").unlink(), "does not exist"),
    ],
)
def test_damaged_folders_are_refused(run, break_it, message):
    run.pipeline = TinyPipeline()
    run.pipeline.bad_at = {2: np.nan}
    _, folder = diverge(run)
    break_it(folder)
    with pytest.raises(CheckpointError, match=message):
        explain(folder, TinyDetector())


def test_the_folder_of_a_run_is_named(run):
    run.pipeline = TinyPipeline()
    run.pipeline.bad_at = {2: np.nan}
    _, folder = diverge(run)
    with pytest.raises(CheckpointError) as raised:
        replay(run.model_dir)
    assert raised.value.hint == f"did you mean {folder}?"
