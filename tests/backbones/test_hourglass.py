"""Hourglasses: sizes, and a block by hand."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from odapi.backbones.hourglass import (
    DEFAULT_HYPERPARAMS,
    EncoderDecoder,
    Hourglass,
    HourglassPlan,
    Residual,
    hourglass_plan,
)
from odapi.layers.names import named_variables
from odapi.runtime.compat import flatten_layers

pytestmark = pytest.mark.backend
PLAIN = dataclasses.replace(DEFAULT_HYPERPARAMS, norm=None)
TINY = HourglassPlan(base=2, channels=(3, 4, 5), blocks=(1, 2, 1))


def _depth(network):
    """Layers on the longest path: how the networks have their names."""

    def inside(stage):
        inner = stage.inner
        deep = inside(inner[0]) if isinstance(inner[0], EncoderDecoder) else 0
        blocks = [
            b for b in (*stage.down, *inner, *stage.up) if isinstance(b, Residual)
        ]
        return deep + 2 * len(blocks)

    between = len(network.from_end) + 2 * len(network.mix)
    return 3 + sum(map(inside, network.stacks)) + len(network.ends) + between


@pytest.mark.parametrize(
    "layers, options, depth",
    [
        (10, {}, 10),
        (20, {}, 20),
        (20, {"shrink": False, "halve": False}, 20),
        (20, {"shrink": False, "shortcut": False}, 20),
        (32, {}, 32),
        (52, {}, 52),
        (52, {"stacks": 2}, 104),
        (100, {}, 100),
    ],
)
def test_the_names_count_the_layers(layers, options, depth):
    assert _depth(Hourglass(hourglass_plan(layers, 1, **options))) == depth


@pytest.mark.parametrize(
    "options, size, cells",
    [
        ({}, (32, 16), (8, 4)),
        # Sizes that halving does not divide are cut after doubling.
        ({}, (30, 17), (8, 5)),
        ({"shrink": False}, (5, 6), (5, 6)),
        ({"shrink": False, "halve": False}, (3, 2), (3, 2)),
        ({"shrink": False, "shortcut": False}, (1, 1), (1, 1)),
        ({"stacks": 2}, (16, 16), (4, 4)),
    ],
)
def test_one_map_per_stack(options, size, cells):
    network = Hourglass(dataclasses.replace(TINY, **options), name="backbone")
    image = np.random.default_rng(0).random((2, *size, 7)).astype(np.float32)
    network.build(image.shape)
    maps = network(image, training=True)
    assert len(maps) == options.get("stacks", 1)
    shapes = network.compute_output_shape(image.shape)
    assert [tuple(m.shape) for m in maps] == [tuple(s) for s in shapes]
    assert {tuple(m.shape) for m in maps} == {(2, *cells, 3)}
    assert all((ops.convert_to_numpy(m) >= 0).all() for m in maps)


def test_no_norm_is_left_out_and_no_convolution_has_a_bias():
    network = Hourglass(TINY, name="backbone")
    network.build((None, 16, 16, 3))
    names = named_variables(network)
    kernels = [n for n in names if n.endswith("/kernel")]
    assert len([n for n in names if n.endswith("/gamma")]) == len(kernels)
    assert not [n for n in names if n.endswith("/bias")]
    assert not [n for n in names if "stack_0/around" in n and "/around/" in n]
    norms = [x for x in flatten_layers(network) if hasattr(x, "moving_mean")]
    assert {(x.momentum, x.epsilon, x.synchronized) for x in norms} == {
        (0.1, 1e-5, True)
    }


@pytest.mark.parametrize(
    "stride, around, expected",
    [
        # A row of three ones gives 2 3 2, its sums in windows, then their sums in
        # windows, and the input is added.
        (1, False, [2 + 3 + 1, 2 + 3 + 2 + 1, 3 + 2 + 1]),
        (1, True, [2 + 3 + 1, 2 + 3 + 2 + 1, 3 + 2 + 1]),
        # Windows at the pixels 0 and 2: two ones each.
        (2, True, [2 + 2 + 1, 2 + 2 + 1]),
    ],
)
def test_a_residual_by_hand(stride, around, expected):
    block = Residual(1, "block", PLAIN, stride, around)
    row = np.ones((1, 1, 3, 1), np.float32)
    block.build(row.shape)
    for name, variable in named_variables(block).items():
        if name.endswith("kernel"):
            variable.assign(np.ones(variable.shape, np.float32))
    found = ops.convert_to_numpy(block(row))
    np.testing.assert_allclose(found[0, 0, :, 0], expected)
    assert tuple(block.compute_output_shape(row.shape)) == found.shape


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: hourglass_plan(11, 8), "one of"),
        (lambda: HourglassPlan(8, (8,), (1,)), "two stages"),
        (lambda: HourglassPlan(8, (8, 8), (1, 1, 1)), "two stages"),
        (lambda: HourglassPlan(0, (8, 8), (1, 1)), "1 or more"),
        (lambda: HourglassPlan(8, (8, 8), (1, 0)), "1 or more"),
    ],
)
def test_invalid_plans_raise(make, words):
    with pytest.raises(ValueError, match=words):
        make()
