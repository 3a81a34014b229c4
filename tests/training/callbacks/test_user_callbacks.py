"""Keras callbacks of the user: their epochs, their logs, and how they end a run."""

import keras
import numpy as np
import pytest

from odapi.checkpoints import folder as folders
from tiny_detector import TinyDetector


class Recorder(keras.callbacks.Callback):
    """Records the events of a run."""

    def __init__(self):
        super().__init__()
        self.events, self.logs = [], {}

    def on_train_begin(self, logs=None):
        self.events.append("train begins")

    def on_epoch_begin(self, epoch, logs=None):
        self.events.append(f"epoch {epoch} begins")

    def on_train_batch_end(self, batch, logs=None):
        self.events.append(batch)
        self.logs["batch"] = logs

    def on_epoch_end(self, epoch, logs=None):
        self.events.append(f"epoch {epoch} ends")
        self.logs[epoch] = logs

    def on_train_end(self, logs=None):
        self.events.append("train ends")
        self.logs["train"] = logs


def test_an_epoch_is_the_stretch_between_two_evaluations(run):
    recorder = Recorder()
    run.callbacks = (recorder,)
    run(5, scores=lambda step: step / 10, evaluate_every=2)
    assert recorder.events == [
        "train begins",
        *("epoch 0 begins", 0, 1, "epoch 0 ends"),
        *("epoch 1 begins", 0, 1, "epoch 1 ends"),
        *("epoch 2 begins", 0, "epoch 2 ends"),
        "train ends",
    ]
    assert [recorder.logs[epoch]["mAP"] for epoch in range(3)] == [0.2, 0.4, 0.5]
    assert recorder.logs["train"] == recorder.logs[2]
    assert recorder.params == {"verbose": 0, "epochs": 3, "steps": 2}
    assert recorder.model is run.detector


def test_epochs_are_counted_from_the_very_first_step(run):
    run(3, scores=lambda step: 0.5, evaluate_every=2)
    run.detector = run.pipeline = None
    recorder = Recorder()
    run.callbacks = (recorder,)
    run(5, scores=lambda step: 0.5, evaluate_every=2)
    assert recorder.events[1:5] == [
        "epoch 1 begins",
        1,
        "epoch 1 ends",
        "epoch 2 begins",
    ]


def test_without_evaluation_the_training_is_one_epoch(run):
    recorder = Recorder()
    run.callbacks = (recorder,)
    run(3, evaluate_every=0)
    assert recorder.events[1:-1] == ["epoch 0 begins", 0, 1, 2, "epoch 0 ends"]
    assert "mAP" not in recorder.logs[0]


def test_logs_have_the_losses_of_the_step_and_means_of_the_epoch(run):
    recorder, totals = Recorder(), []

    class Totals(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            totals.append(logs["loss"])

    run.callbacks = (recorder, Totals())
    run(4, rate=0.25, evaluate_every=0)
    batch, epoch = recorder.logs["batch"], recorder.logs[0]
    assert batch.keys() == {
        "loss",
        "Loss/localization_loss",
        "Loss/classification_loss",
        "Loss/regularization_loss",
        "Loss/total_loss",
    }
    assert batch["loss"] == batch["Loss/total_loss"] == totals[-1]
    assert epoch["loss"] == pytest.approx(np.mean(totals), rel=1e-5)
    assert epoch["learning_rate"] == 0.25


def test_losses_of_the_evaluation_are_validation_losses(run):
    recorder = Recorder()
    run.callbacks = (recorder,)
    scores = {2: {"mAP": 0.5, "Loss/total_loss": 7.0}}

    def evaluate(detector, step):
        return scores[step]

    run.evaluate = evaluate
    run(2)
    assert (
        recorder.logs[0]["val_loss"] == recorder.logs[0]["val_Loss/total_loss"] == 7.0
    )
    assert recorder.logs[0]["loss"] != 7.0


@pytest.mark.backend
@pytest.mark.parametrize("event", ["on_train_batch_end", "on_epoch_end"])
def test_a_callback_ends_the_run_which_is_saved_and_evaluated(run, event):
    class Stopping(keras.callbacks.Callback):
        pass

    def stop(self, index, logs=None):
        self.model.stop_training = True

    setattr(Stopping, event, stop)
    run.callbacks = (Stopping(),)
    outcome = run(9, scores=lambda step: 0.5, evaluate_every=2)
    expected = 1 if event == "on_train_batch_end" else 2
    assert (outcome.step, outcome.reason) == (expected, "callback")
    assert run.evaluated == [expected]
    assert folders.step_of(folders.latest(run.model_dir)) == expected


def test_early_stopping_of_keras_watches_our_metrics(run):
    run.callbacks = (
        keras.callbacks.EarlyStopping("mAP", mode="max", patience=2, verbose=0),
    )
    scores = {2: 0.5, 4: 0.4, 6: 0.3, 8: 0.2}
    outcome = run(8, scores=scores, evaluate_every=2)
    assert (outcome.step, outcome.reason) == (6, "callback")


@pytest.mark.backend
def test_weights_are_current_at_the_end_of_an_epoch(run):
    kernels = []

    class Keeping(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            kernels.append(keras.ops.convert_to_numpy(self.model.head.kernel))

    run.callbacks = (Keeping(),)
    run(4, evaluate_every=2)
    initial = keras.ops.convert_to_numpy(TinyDetector(dropout=0.5).head.kernel)
    assert np.abs(kernels[0] - initial).max() > 0
    assert np.abs(kernels[1] - kernels[0]).max() > 0


def test_a_callback_that_raises_is_named(run):
    class Broken(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise RuntimeError("no connection")

    run.callbacks = (Recorder(), Broken())
    with pytest.raises(RuntimeError, match="no connection") as caught:
        run(9)
    assert caught.value.__notes__ == [
        "raised by callbacks[1] (Broken) in on_train_batch_end at step 3"
    ]
