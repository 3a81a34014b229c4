"""Weights of the Inception ResNet of Keras Applications, whose names do not last."""

import json

import keras
import numpy as np
import pytest

from odapi.backbones.inception_resnet import inception_resnet_halves
from odapi.checkpoints.pretrained import convert_names
from odapi.layers.initializers import Constant
from odapi.layers.names import named_variables
from odapi.models.two_stage.backbone_halves import backbone_variables
from odapi.zoo.names.backbone_keys import backbone_keys

_STORED = "golden/layers/mask_rcnn_inception_resnet_v2_1024x1024.json"


class _Extractor:
    def __init__(self, backbone):
        self.backbone = backbone


@pytest.fixture(scope="module")
def ours():
    return inception_resnet_halves()


@pytest.fixture(scope="module")
def theirs():
    cheap = {"glorot_uniform": Constant, "zeros": Constant, "ones": Constant}
    with keras.utils.custom_object_scope(cheap):
        keras.layers.Conv2D(1, 1)  # Counts as one: the first is not called conv2d.
        return keras.applications.InceptionResNetV2(
            input_shape=(None, None, 3), include_top=False, weights=None
        )


def test_each_variable_has_its_place(ours, theirs):
    variables = backbone_variables(_Extractor(ours[0]), ours[1])
    arrays = {
        f"{layer.name}/{v.name}": np.full(v.shape, n, np.float32)
        for n, layer in enumerate(theirs.layers)
        for v in layer.weights
    }
    found = convert_names(arrays, variables)
    assert {n: a.shape for n, a in found.items()} == {
        n: tuple(v.shape) for n, v in variables.items()
    }
    # These have names that last.
    for layer in ("block35_1_conv", "block17_20_conv", "block8_10_conv", "conv_7b"):
        name = f"{layer}/kernel"
        np.testing.assert_array_equal(found[name], arrays[name])
    assert len({float(a.flat[0]) for a in found.values()}) == len(
        [layer for layer in theirs.layers if layer.weights]
    )


def test_the_order_is_that_of_the_original(shared, ours, theirs):
    stored = json.loads((shared / _STORED).read_text())["layers"]
    numbers = [
        int(layer.name.rpartition("_")[2])
        for layer in theirs.layers
        if layer.name.startswith("conv2d_")
    ]
    first = min(numbers)
    expected = []
    for root, half in (("proposal", ours[0]), ("box_classifier", ours[1])):
        root = f"model/_feature_extractor_for_{root}_features"
        keys = backbone_keys(half, root)
        named = [n for n in named_variables(half) if n.endswith("/kernel")]
        names = [stored[keys[n].rpartition("/")[0]]["layer_name"] for n in named]
        parts = [n.partition("_")[2] for n in names if n.startswith("conv2d")]
        expected += [int(part or 0) for part in parts]
    assert [n - first for n in numbers] == expected
