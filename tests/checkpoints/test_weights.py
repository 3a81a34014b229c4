"""Weight files: what was written is read back, and misfits are named."""

import h5py
import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

from odapi.checkpoints import averages, training_state, weights
from odapi.checkpoints.folder import AVERAGES
from odapi.errors import CheckpointError
from odapi.optim import ema, optimizers
from tiny_detector import TinyDetector


def values(detector):
    return weights.values(detector.named_variables())


@pytest.mark.backend
def test_weights_come_back_bit_for_bit(tmp_path):
    one, other = TinyDetector(seed=1), TinyDetector(seed=2)
    weights.save_weights(one, tmp_path / "weights.h5")
    weights.load_weights(other, tmp_path / "weights.h5")
    for name, value in values(one).items():
        np.testing.assert_array_equal(value, values(other)[name], err_msg=name)


def test_the_file_is_flat_by_name(tmp_path):
    weights.save_weights(TinyDetector(), tmp_path / "weights.h5")
    with h5py.File(tmp_path / "weights.h5") as file:
        assert file["feature_extractor/backbone/conv/kernel"].shape == (3, 3, 3, 8)


def test_a_misfit_is_named_and_nothing_is_loaded(tmp_path):
    weights.save_weights(TinyDetector(num_classes=3), tmp_path / "weights.h5")
    detector = TinyDetector(seed=5)
    before = values(detector)
    with pytest.raises(
        CheckpointError,
        match=r"head/kernel has shape \(8, 7\), the model has \(8, 6\)",
    ):
        weights.load_weights(detector, tmp_path / "weights.h5")
    for name, value in values(detector).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "cannot be read"),
        (b"\x89HDF\r\n\x1a\n" + 40 * b"\0", "cannot be read"),
    ],
)
def test_a_damaged_file_is_a_checkpoint_error(tmp_path, content, message):
    path = tmp_path / "weights.h5"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        weights.load_arrays(path)


def built(detector, **arguments):
    optimizer = optimizers.make(keras.optimizers.SGD, momentum=0.9, **arguments)
    optimizer.build(detector.trainable_variables)
    return optimizer


@pytest.mark.backend
def test_training_state_holds_slots_steps_averages_and_random_state(tmp_path):
    detector = TinyDetector(dropout=0.5)
    optimizer = built(detector, average_decay=0.9, learning_rate=0.1)
    for number, variable in enumerate(optimizer.variables):
        variable.assign(variable + number + 1)
    training_state.save(tmp_path, detector, optimizer, {"step": 3})
    averages.save(tmp_path, detector, optimizer)

    fresh = TinyDetector(dropout=0.5, seed=9)
    other = built(fresh, average_decay=0.9, learning_rate=0.1)
    assert training_state.load(tmp_path, fresh, other) == {"step": 3}
    averages.load(tmp_path, fresh, other)
    assert int(other.iterations) == 1
    for one, two in zip(optimizer.variables, other.variables, strict=True):
        np.testing.assert_array_equal(
            convert_to_numpy(one), convert_to_numpy(two), err_msg=one.path
        )
    seeds = [
        convert_to_numpy(d.dropout.seed_generator.state) for d in (detector, fresh)
    ]
    np.testing.assert_array_equal(*seeds)


def test_another_optimizer_cannot_resume(tmp_path):
    detector = TinyDetector()
    training_state.save(tmp_path, detector, built(detector), {"step": 1})
    adam = keras.optimizers.Adam()
    adam.build(detector.trainable_variables)
    with pytest.raises(CheckpointError, match=r"training_state.h5: does not fit"):
        training_state.load(tmp_path, detector, adam)


def test_averages_take_the_place_of_the_weights(tmp_path):
    detector = TinyDetector()
    optimizer = built(detector, average_decay=0.9)
    assert not averages.use_averages(tmp_path, detector)
    for variable, average in ema.averages_of(optimizer):
        average.assign(variable * 0 + 7)
    averages.save(tmp_path, detector, optimizer)
    assert (tmp_path / AVERAGES).is_file()
    assert averages.use_averages(tmp_path, detector)
    assert (convert_to_numpy(detector.head.kernel) == 7).all()
    assert (
        convert_to_numpy(detector.norm.moving_variance) == 1
    ).all()  # Is not averaged.
