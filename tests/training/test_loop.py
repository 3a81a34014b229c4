"""The training loop: what is saved when, what is evaluated, and how it ends."""

import contextlib
import json
import os
import signal
import time

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy, convert_to_tensor

from learning import SEED, reached
from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_arrays, values
from odapi.errors import CheckpointError, DivergedError
from odapi.structures import Groundtruth, present
from tiny_detector import TinyDetector, TinyPipeline, make_batch


def steps(run):
    return sorted(folders.steps(run.model_dir))


def weights(run):
    return values(run.detector.named_variables())


@pytest.mark.backend
def test_a_short_run_saves_and_evaluates_at_the_end(run, capsys):
    outcome = run(num_steps=3, scores=lambda step: 0.5)
    assert (outcome.step, outcome.reason) == (3, "done")
    assert outcome.metrics == {"mAP": 0.5}
    assert sorted(outcome.losses) == [
        "Loss/classification_loss",
        "Loss/localization_loss",
        "Loss/regularization_loss",
        "Loss/total_loss",
    ]
    assert outcome.losses["Loss/total_loss"] == pytest.approx(
        sum(list(outcome.losses.values())[:3]), rel=1e-5
    )
    assert steps(run) == [3]
    path = folders.latest(run.model_dir)
    assert capsys.readouterr().err.count(f"Saved checkpoint to {path}\n") == 1
    saved = load_arrays(folders.latest(run.model_dir) / folders.WEIGHTS)
    for name, value in weights(run).items():
        np.testing.assert_array_equal(saved[name], value)


@pytest.mark.backend
@pytest.mark.learning
def test_training_learns(run):
    run.detector = TinyDetector(seed=1 + SEED)
    run.pipeline = TinyPipeline(seed=SEED)
    before = _loss_on_other_images(run.detector)
    run(num_steps=60)
    ratio = _loss_on_other_images(run.detector) / before
    assert reached("training loop: loss after / before", ratio, below=0.5)


def _loss_on_other_images(detector):
    # Many images, since the loss of one batch of four jumps.
    batch = make_batch(1000, 64)
    outputs = detector({"images": batch.images}, training=True)
    truth = {k: convert_to_tensor(v) for k, v in present(batch.groundtruth).items()}
    parts = detector.loss_parts(outputs, Groundtruth(**truth))
    return float(convert_to_numpy(parts["Loss/classification_loss"]))


@pytest.mark.parametrize(
    ("plan", "evaluated", "kept"),
    [
        ({"evaluate_every": 2, "save_every": 100}, [2, 4, 6, 7], [4, 7]),
        ({"evaluate_every": 0, "save_every": 2}, [7], [7]),
        ({"evaluate_every": 3, "save_every": 2, "keep": 2}, [3, 6, 7], [3, 4, 6, 7]),
        ({"evaluate_every": 3, "save_every": 0, "patience": 1}, [3, 6], [3, 6]),
    ],
)
def test_evaluations_and_checkpoints_come_when_they_are_due(run, plan, evaluated, kept):
    scores = {2: 0.1, 3: 0.3, 4: 0.4, 6: 0.2, 7: 0.3}
    outcome = run(num_steps=7, scores=scores, **plan)
    assert run.evaluated == evaluated
    assert steps(run) == kept
    if plan.get("patience"):
        assert (outcome.step, outcome.reason) == (6, "early stopping")
    best = folders.read_pointer(run.model_dir, "best")
    assert best["value"] == max(scores[s] for s in evaluated)
    lines = (run.model_dir / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == evaluated


def test_early_stopping_counts_evaluations_before_a_resume(run):
    scores = {2: 0.5, 4: 0.4, 6: 0.45, 8: 0.44, 10: 0.9}
    assert run(4, scores=scores, evaluate_every=2, patience=3).reason == "done"
    run.detector = run.pipeline = None
    outcome = run(10, scores=scores, evaluate_every=2, patience=3)
    assert (outcome.step, outcome.reason) == (8, "early stopping")
    assert folders.read_pointer(run.model_dir, "best")["step"] == 2


def test_a_finished_run_is_evaluated_once(run):
    run(3, scores=lambda step: 0.5)
    run.detector = run.pipeline = None
    outcome = run(3, scores=lambda step: 0.7)
    assert run.evaluated == [3]
    assert (outcome.step, outcome.metrics) == (3, {"mAP": 0.5})


@pytest.mark.backend
def test_averages_are_evaluated_and_training_continues_from_the_weights(run):
    kernels = []

    def score(step):
        kernels.append(convert_to_numpy(run.detector.head.kernel))
        return 0.5

    run(4, scores=score, decay=0.99, evaluate_every=2, average=True)
    saved = folders.latest(run.model_dir)
    average = load_arrays(saved / folders.AVERAGES)["box_predictor/head/kernel"]
    np.testing.assert_array_equal(kernels[-1], average)
    trained = load_arrays(saved / folders.WEIGHTS)["box_predictor/head/kernel"]
    np.testing.assert_array_equal(weights(run)["box_predictor/head/kernel"], trained)
    assert np.abs(average - trained).max() > 1e-4


@pytest.mark.backend
@pytest.mark.slow
def test_scaling_the_loss_changes_nothing_but_its_range(run, tmp_path):
    run(3, decay=0.9)
    plain = weights(run)
    run.model_dir, run.detector, run.pipeline = tmp_path / "scaled", None, None
    run(2, decay=0.9, scaled=True)
    run.detector = run.pipeline = None
    run(3, decay=0.9, scaled=True)  # Goes on.
    for name, value in weights(run).items():
        np.testing.assert_allclose(value, plain[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_ends(run, number):
    class Interrupted(TinyPipeline):
        def get_state(self):
            if self.next == 8:
                os.kill(os.getpid(), number)
            return super().get_state()

    run.pipeline = Interrupted()
    outcome = run(1000, scores=lambda step: 0.5)
    assert outcome.reason == "interrupted"
    assert 1 <= outcome.step < 1000
    assert steps(run) == [outcome.step]
    assert run.evaluated == []
    assert signal.getsignal(number) is not None


def test_a_signal_interrupts_an_evaluation(run):
    def score(step):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("goes on")

    outcome = run(9, scores=score, evaluate_every=4)
    assert (outcome.step, outcome.reason, outcome.metrics) == (4, "interrupted", {})
    assert steps(run) == [4]


def test_the_second_signal_aborts(run):
    def score(step):
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        run(9, scores=score, evaluate_every=4)
    assert steps(run) == [4]


@pytest.mark.parametrize(
    ("factor", "what"),
    [
        (np.nan, "Loss/localization_loss is nan"),
        (np.inf, "Loss/localization_loss is inf"),
        (1e4, r"Loss/localization_loss is \d"),
    ],
)
def test_a_diverged_loss_ends_the_training_with_advice(run, factor, what):
    run.pipeline = TinyPipeline()
    run.pipeline.bad_at = {4: factor}
    with pytest.raises(DivergedError) as caught:
        run(9, save_every=2)
    message = str(caught.value)
    assert message.startswith(f"step 5: {what.split(chr(92))[0]}")
    assert "images of this step: image-4-0, image-4-1, image-4-2" in message
    assert "step before: image-3-0" in message
    assert "the learning rate is 0.05: try a tenth" in message
    assert f"last good checkpoint is {folders.latest(run.model_dir)}" in message
    assert steps(run) == [4]


def test_diverged_weights_are_never_saved(run):
    run(2)
    run.detector = run.pipeline = None

    class Breaking(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.head.bias.assign([np.nan] * 6)

    run.callbacks = (Breaking(),)
    with pytest.raises(DivergedError, match="head/bias is NaN or infinite"):
        run(3)
    assert steps(run) == [2]


def test_a_full_disk_in_the_middle_does_not_end_the_training(run, monkeypatch, capsys):
    write = folders.write
    full = {4}

    def sometimes(model_dir, step, fill):
        if step in full:
            raise CheckpointError(str(step), "could not be written: No space left")
        return write(model_dir, step, fill)

    monkeypatch.setattr(folders, "write", sometimes)
    run(6, save_every=2)
    assert steps(run) == [6]
    assert "No space left" in capsys.readouterr().err
    run.detector = run.pipeline = None
    full.add(8)
    with pytest.raises(CheckpointError, match="No space left"):
        run(8)
    assert steps(run) == [6]


@pytest.mark.backend
def test_an_error_of_the_pipeline_is_raised_as_it_is(run):
    class Broken(TinyPipeline):
        def __iter__(self):
            for number, batch in enumerate(super().__iter__()):
                if number == 5:
                    raise CheckpointError("image 5", "is broken")
                yield batch

    run.pipeline = Broken()
    with pytest.raises(CheckpointError, match="image 5: is broken"):
        run(9)


@pytest.mark.backend
def test_the_step_is_compiled_once(run, monkeypatch):
    monkeypatch.setattr("odapi.training.loop._FIT_EPOCH", 2)
    traces = []

    class Counting(TinyDetector):
        def call(self, inputs, training=False):
            traces.append(1)
            return super().call(inputs, training=training)

    run.detector = Counting()
    run(7, scores=lambda step: 0.5, evaluate_every=3)
    assert len(traces) == (7 if keras.backend.backend() == "torch" else 1)


def killed_in_the_evaluation(run, step, **plan):
    """Trains until an evaluation, and dies in it without any handler."""

    def score(at):
        if at == step:
            raise SystemExit
        return at / 10

    with contextlib.suppress(SystemExit):
        run(scores=score, evaluate_every=2, **plan)
    run.detector = run.pipeline = None
    run.evaluated.clear()


def evaluated_steps(run):
    lines = (run.model_dir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


@pytest.mark.parametrize("killed_at", [2, 4, 6])
def test_an_evaluation_that_a_kill_prevented_is_made_on_resume(run, capsys, killed_at):
    killed_in_the_evaluation(run, killed_at, num_steps=6)
    assert steps(run)[-1] == killed_at
    outcome = run(6, scores=lambda step: step / 10, evaluate_every=2)
    assert outcome.step == 6
    assert evaluated_steps(run) == [2, 4, 6]
    assert folders.read_pointer(run.model_dir, "best")["step"] == 6
    line = f"The evaluation of step {killed_at} was interrupted; it is made now\n"
    assert (line in capsys.readouterr().err) == (killed_at < 6)


def test_early_stopping_counts_an_evaluation_that_is_made_on_resume(run):
    killed_in_the_evaluation(run, 4, num_steps=9, patience=1)
    outcome = run(9, scores=lambda step: 0.1, evaluate_every=2, patience=1)
    assert (outcome.step, outcome.reason) == (4, "early stopping")
    assert outcome.steps == 0


def test_a_signal_interrupts_an_evaluation_that_is_made_on_resume(run):
    killed_in_the_evaluation(run, 4, num_steps=9)

    def score(step):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("goes on")

    outcome = run(9, scores=score, evaluate_every=2)
    assert (outcome.step, outcome.reason) == (4, "interrupted")


def test_a_signal_before_the_first_step_raises_and_saves_nothing(run):
    class Interrupted(TinyPipeline):
        def __iter__(self):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
            return super().__iter__()

    run.pipeline = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        run(9)
    assert steps(run) == []


def test_a_signal_before_an_evaluation_prevents_it(run, monkeypatch):
    write = folders.write

    def interrupted(*args):
        os.kill(os.getpid(), signal.SIGINT)
        return write(*args)

    monkeypatch.setattr(folders, "write", interrupted)
    outcome = run(9, scores=lambda step: 0.5, evaluate_every=4)
    assert (outcome.step, outcome.reason) == (4, "interrupted")
    assert (steps(run), run.evaluated) == ([4], [])


def test_every_part_of_a_run_is_recorded(run):
    run(2)
    run.detector = run.pipeline = None
    parts = run(5).parts
    backend = keras.backend.backend()
    found = [(p["first_step"], p["last_step"], p["steps"], p["backend"]) for p in parts]
    assert found == [(1, 2, 2, backend), (3, 5, 3, backend)]
    assert all(part["seconds"] > 0 for part in parts)
    facts = folders.latest(run.model_dir) / "training_state.json"
    assert json.loads(facts.read_text())["parts"] == parts


def test_a_resumed_run_gets_its_config_after_a_step(run):
    run(2)
    config = run.model_dir / "pipeline.config"
    run.config, run.detector, run.pipeline = "changed", None, TinyPipeline()
    run.pipeline.bad_at = {2: np.nan}
    with pytest.raises(DivergedError):
        run(4)
    assert config.read_text() == "x"
    run.detector = run.pipeline = None
    run(4)
    assert config.read_text() == "changed"
