"""Backbone weights by `layer/variable`, from the files that people have."""

import h5py
import keras
import numpy as np
import pytest

from odapi.checkpoints import pretrained
from odapi.errors import CheckpointError, ConfigError


def test_the_shared_npz_has_the_layers_of_keras_applications(shared):
    arrays = pretrained.read(shared / "pretrained" / "mobilenet_v2_imagenet.npz")
    assert arrays["Conv1/kernel"].shape == (3, 3, 3, 32)
    assert arrays["expanded_conv_depthwise/kernel"].shape == (3, 3, 32, 1)
    assert len(arrays) == 262


def test_the_old_h5_of_keras_applications_is_read(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["Conv1/Conv1/kernel:0"] = np.ones(3)
        file["bn_Conv1/bn_Conv1/gamma:0"] = np.ones(2)
        file["dw/dw/depthwise_kernel:0"] = np.ones(4)
    arrays = pretrained.read(tmp_path / "w.h5")
    assert {n: a.shape for n, a in arrays.items()} == {
        "Conv1/kernel": (3,),
        "bn_Conv1/gamma": (2,),
        "dw/kernel": (4,),
    }


def bad_keras3(path):
    with h5py.File(path, "w") as file:
        file["layers/conv2d/vars/0"] = np.ones(1)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("gone.npz", lambda p: None, "does not exist"),
        ("bad.npz", lambda p: p.write_bytes(b"PK\x03\x04zip"), "cannot be read"),
        ("empty.npz", lambda p: p.write_bytes(b""), "cannot be read"),
        ("bad.h5", lambda p: p.write_bytes(b"no"), "cannot be read"),
        ("w.weights.h5", bad_keras3, "is a .weights.h5 of Keras 3"),
    ],
)
def test_files_that_cannot_be_used_say_why(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(CheckpointError, match=message):
        pretrained.read(tmp_path / name)


def test_without_a_network_the_way_out_is_said(monkeypatch):
    def offline(**arguments):
        raise Exception("URL fetch failure on https://...: None -- unreachable")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(CheckpointError, match=r"URL fetch failure(.*\n)+.*give a file"):
        pretrained.download("MobileNetV2", alpha=1.0)


def test_weights_that_nobody_published_are_a_config_error(monkeypatch):
    def none(**arguments):
        raise ValueError("alpha can be one of 0.35, 0.5 ... got 0.3")

    monkeypatch.setattr(keras.applications, "MobileNetV2", none)
    with pytest.raises(ConfigError, match="'imagenet': alpha can be one of"):
        pretrained.download("MobileNetV2", alpha=0.3)


def test_weights_by_layer_are_those_of_the_model(monkeypatch):
    def tiny(**arguments):
        images = keras.Input((8, 8, 3))
        return keras.Model(images, keras.layers.Conv2D(2, 3, name="Conv1")(images))

    monkeypatch.setattr(keras.applications, "MobileNetV2", tiny)
    arrays = pretrained.download("MobileNetV2")
    assert {n: a.shape for n, a in arrays.items()} == {
        "Conv1/kernel": (3, 3, 3, 2),
        "Conv1/bias": (2,),
    }


@pytest.mark.parametrize(
    ("wanted", "kernel", "rest"),
    [
        # Without biases: they go into the means, and colours come red first.
        ((), [3.0, 2.0, 1.0], {"conv1_bn/moving_mean": 1.0}),
        # With biases: as it is.
        (
            ("conv1_conv/bias",),
            [1.0, 2.0, 3.0],
            {"conv1_bn/moving_mean": 5.0, "conv1_conv/bias": 4.0},
        ),
    ],
)
def test_a_resnet_is_as_the_backbone_wants_it(wanted, kernel, rest):
    arrays = {
        "conv1_conv/kernel": np.array([1.0, 2.0, 3.0]).reshape(1, 1, 3, 1),
        "conv1_conv/bias": np.array([4.0]),
        "conv1_bn/moving_mean": np.array([5.0]),
    }
    ours = pretrained.convert_names(arrays, wanted)
    assert ours.pop("conv1_conv/kernel").ravel().tolist() == kernel
    assert {name: array.item() for name, array in ours.items()} == rest
