"""ResNets of CenterNet: those of Keras Applications, and the shallow ones."""

import keras
import numpy as np
import pytest
from keras import ops

from odapi.backbones.basic_resnet import basic_resnet
from odapi.backbones.basic_resnet import stage_ends as basic_ends
from odapi.backbones.center_resnet import center_resnet
from odapi.backbones.resnet import stage_ends
from odapi.checkpoints.pretrained import convert_names
from odapi.layers.names import named_variables


def _random(arrays):
    """Values in all that starts as 0 or 1."""
    rng = np.random.default_rng(0)
    for name, variable in arrays.items():
        if not name.endswith("kernel"):
            variable.assign(rng.uniform(0.5, 1.0, variable.shape))


@pytest.mark.parametrize(
    "version, ends, unused",
    [
        (1, stage_ends(50), set()),
        # The norm after the last sum, which nothing looks at.
        (2, ("conv2_block3_out", "conv5_block3_out"), {"post_bn"}),
    ],
)
def test_published_weights_give_the_published_outputs(version, ends, unused):
    make = (
        keras.applications.ResNet50 if version == 1 else keras.applications.ResNet50V2
    )
    published = make(input_shape=(None, None, 3), include_top=False, weights=None)
    theirs = named_variables(published)
    _random(theirs)
    ours = center_resnet(version, 50, ends)
    variables = named_variables(ours)
    arrays = convert_names(
        {n: ops.convert_to_numpy(v) for n, v in theirs.items()}, variables
    )
    assert {n.split("/")[0] for n in set(arrays) - set(variables)} == unused
    for name, variable in variables.items():
        variable.assign(arrays[name])
    maps = keras.Model(published.input, [published.get_layer(n).output for n in ends])
    image = np.random.default_rng(1).normal(0, 1, (1, 50, 64, 3)).astype(np.float32)
    for mine, other in zip(ours(image), maps(image), strict=True):
        mine, other = ops.convert_to_numpy(mine), ops.convert_to_numpy(other)
        np.testing.assert_allclose(mine, other, atol=1e-4 * np.abs(other).max())


# A first convolution with bias, and for each block its two convolutions, two norms
# and the norm before it: 18 layers have 2 blocks a stage, 34 have 3, 4, 6 and 3.
@pytest.mark.parametrize("layers, parameters", [(18, 11_182_656), (34, 21_294_528)])
def test_the_number_of_weights(layers, parameters):
    model = basic_resnet(layers, basic_ends(layers))
    blocks = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}[layers]
    total, inputs = 7 * 7 * 3 * 64 + 64, 64
    for filters, count in zip((64, 128, 256, 512), blocks, strict=True):
        channels = [inputs, *[filters] * (count - 1)]
        total += sum(9 * (c + filters) * filters for c in channels)
        total += (inputs + 1) * filters  # Around the first block.
        total += sum(2 * c + 4 * filters for c in channels)  # Factors and offsets.
        inputs = filters
    found = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    assert found == total == parameters


@pytest.mark.backend
def test_block_without_residual_is_identity():
    ends = ("conv3_block1_out", "conv3_block2_out")
    model = basic_resnet(18, ends)
    for name in ("gamma", "beta"):
        variable = named_variables(model)[f"conv3_block2_2_bn/{name}"]
        variable.assign(np.zeros(variable.shape))
    image = np.random.default_rng(0).random((1, 30, 32, 3)).astype(np.float32)
    before, after = (ops.convert_to_numpy(m) for m in model(image))
    # The last block of the stage shrinks, by taking every second pixel.
    assert before.shape == (1, 8, 8, 128)
    np.testing.assert_array_equal(after, before[:, ::2, ::2])


@pytest.mark.parametrize("layers", [18, 34])
def test_strides_of_the_stages(layers):
    model = basic_resnet(layers, basic_ends(layers))
    shapes = model.compute_output_shape((None, 64, 96, 3))
    assert [s[1:] for s in shapes] == [
        (16, 24, 64), (8, 12, 128), (4, 6, 256), (2, 3, 512)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: basic_resnet(50, ()), "one of"),
        (lambda: center_resnet(2, 152, ()), "one of"),
        (lambda: basic_resnet(18, ("conv6_block1_out",)), "no layer 'conv6"),
    ],
)
def test_invalid_arguments_raise(make, words):
    with pytest.raises(ValueError, match=words):
        make()
