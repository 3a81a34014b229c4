"""EfficientNet: sizes of the original, names of Keras Applications."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from odapi.backbones.efficientnet import (
    DEFAULT_HYPERPARAMS,
    SIZES,
    blocks,
    efficientnet,
)
from odapi.backbones.table import SSD_EXTRACTORS
from odapi.layers.names import named_variables

LEVELS = SSD_EXTRACTORS["ssd_efficientnet-b0_bifpn_keras"].endpoints


@pytest.fixture(scope="module")
def full():
    return efficientnet(LEVELS)


# Of the original's checkpoints: blocks, channels of each stage, of squeezing in the
# first and the last block.
@pytest.mark.parametrize(
    "size, count, channels",
    [
        ("b0", 16, [16, 24, 40, 80, 112, 192, 320]),
        ("b1", 23, [16, 24, 40, 80, 112, 192, 320]),
        ("b2", 23, [16, 24, 48, 88, 120, 208, 352]),
        ("b3", 26, [24, 32, 48, 96, 136, 232, 384]),
        ("b4", 32, [24, 32, 56, 112, 160, 272, 448]),
        ("b5", 39, [24, 40, 64, 128, 176, 304, 512]),
        ("b6", 45, [32, 40, 72, 144, 200, 344, 576]),
        ("b7", 55, [32, 48, 80, 160, 224, 384, 640]),
    ],
)
def test_blocks_of_each_size(size, count, channels):
    found = list(blocks(size))
    assert len(found) == count
    stages = {block.name[5]: block.outputs for block in found}
    assert list(stages.values()) == channels
    assert [b.stride for b in found if b.name.endswith("a")] == [1, 2, 2, 2, 1, 2, 1]
    assert all(b.stride == 1 for b in found if not b.name.endswith("a"))
    # Of B0's 16 blocks, whatever the size.
    assert found[0].drop_rate == 0.0
    assert found[-1].drop_rate == pytest.approx(0.2 * (count - 1) / 16)


def test_feature_maps_of_the_levels(full):
    shapes = full.compute_output_shape((None, 64, 96, 3))
    assert [s[1:] for s in shapes] == [
        (32, 48, 16), (16, 24, 24), (8, 12, 40), (4, 6, 112), (2, 3, 320)
    ]  # fmt: skip


def test_weights_have_the_names_and_shapes_of_keras_applications(full):
    original = keras.applications.EfficientNetB0(
        input_shape=(None, None, 3), include_top=False, weights=None
    )
    expected = {
        f"{layer.name}/{v.name}": tuple(v.shape)
        for layer in original.layers
        for v in layer.weights
        if layer.name not in ("normalization", "top_conv", "top_bn")
    }
    ours = {name: tuple(v.shape) for name, v in named_variables(full).items()}
    assert ours == expected


def test_blocks_that_no_feature_map_needs_are_not_built():
    names = {layer.name for layer in efficientnet(LEVELS[:3], width=0.25).layers}
    assert "block3b_add" in names
    assert not [name for name in names if name.startswith(("block3c", "block4"))]


def test_hyperparams_reach_every_layer():
    frozen = dataclasses.replace(DEFAULT_HYPERPARAMS, l2=0.5).frozen()
    model = efficientnet(LEVELS, frozen, width=0.25)
    # Kernels of the stem, 15 expansions, 16 projections, and kernels and biases of
    # squeezing and exciting; depthwise kernels are left out.
    assert len(model.losses) == 1 + 15 + 16 + 4 * 16
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 1 + 15 + 16 + 16
    assert all(norm.frozen and norm.momentum == 0.99 for norm in norms)


@pytest.mark.backend
def test_blocks_are_dropped_for_single_images_and_each_by_itself():
    model = efficientnet(("block2b_add", "block3b_add"), width=0.25)
    drops = [x for x in model.layers if isinstance(x, keras.layers.Dropout)]
    assert [drop.name for drop in drops] == ["block2b_drop", "block3b_drop"]
    assert [drop.rate for drop in drops] == pytest.approx([0.2 * 2 / 16, 0.2 * 4 / 16])
    for drop in drops:
        drop.rate = 0.5
    ones = np.ones((64, 2, 2, 3), np.float32)
    kept = [ops.convert_to_numpy(drop(ones, training=True)) for drop in drops]
    for values in kept:
        assert set(np.unique(values)) == {0.0, 2.0}
        assert (values == values[:, :1, :1, :1]).all()
    assert (kept[0] != kept[1]).any()
    assert (ops.convert_to_numpy(drops[0](ones, training=False)) == 1).all()


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"endpoints": ("block1b_add",)}, "no layer 'block1b_add'"),
        ({"width": 0.0}, "above 0"),
    ],
)
def test_invalid_arguments_raise(arguments, words):
    with pytest.raises(ValueError, match=words):
        efficientnet(**{"endpoints": LEVELS, "width": 0.25, **arguments})


def test_eight_sizes_with_one_extractor_each():
    assert len(SIZES) == 8
    assert {f"ssd_efficientnet-{s}_bifpn_keras" for s in SIZES} <= set(SSD_EXTRACTORS)
