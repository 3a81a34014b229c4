"""Batches that do not divide by the devices, and batch norms that see all of them."""

import types

import keras
import pytest

from odapi.errors import ConfigError
from odapi.runtime.distribution.strategy import Strategy
from odapi.training.device_checks import batch_norm_lines, check_batch_size
from tiny_detector import TinyDetector


@pytest.fixture
def set_devices(monkeypatch):
    """Sets a distribution that no single CPU could have."""

    def set_devices(shape, axis_names, batch_dim_name="batch"):
        mesh = types.SimpleNamespace(shape=shape, axis_names=axis_names)
        kind = type("DataParallel", (), {})
        distribution = kind()
        distribution.device_mesh, distribution.batch_dim_name = mesh, batch_dim_name
        monkeypatch.setattr(keras.distribution, "distribution", lambda: distribution)

    return set_devices


@pytest.mark.parametrize(
    ("shape", "axes", "batch"),
    [
        ((2,), ("batch",), 4),
        ((1,), ("batch",), 3),
        ((4, 2), ("model", "batch"), 2),
        ((4,), ("model",), 3),
    ],
)
def test_a_batch_that_divides_is_accepted(set_devices, shape, axes, batch):
    set_devices(shape, axes)
    check_batch_size(batch)


def test_without_a_distribution_every_batch_is_accepted():
    check_batch_size(3)


@pytest.mark.parametrize(
    ("batch", "devices", "fitting"), [(3, 2, "2 or 4"), (1, 2, "2"), (10, 4, "8 or 12")]
)
def test_a_batch_that_does_not_divide_is_refused(set_devices, batch, devices, fitting):
    set_devices((devices,), ("batch",))
    with pytest.raises(ConfigError) as caught:
        check_batch_size(batch)
    images = "1 image does" if batch == 1 else f"{batch} images do"
    assert str(caught.value) == (
        f"train_config.batch_size: {images} not divide by {devices} devices "
        f"(keras.distribution: DataParallel)\n  hint: use {fitting}, or fewer devices"
    )


def test_batch_norms_that_see_all_devices_are_noted():
    detector, strategy = TinyDetector(), Strategy()
    assert batch_norm_lines(detector, strategy) == []
    strategy.shares_batch_norm, strategy.num_devices = True, 2
    (line,) = batch_norm_lines(detector, strategy)
    assert line.startswith("note: batch_norm in the config (1 layer) uses")
    assert "whole batch, not of each of the 2 devices, as sync_batch_norm does" in line
    detector.norm.synchronized = True
    assert batch_norm_lines(detector, strategy) == []
    detector.norm.synchronized, detector.norm.trainable = False, False
    assert batch_norm_lines(detector, strategy) == []
