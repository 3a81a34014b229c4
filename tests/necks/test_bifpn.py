"""BiFPN: nodes, weights and sums."""

import numpy as np
import pytest
from keras import ops

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.norm import Norm
from odapi.necks.bifpn import BidirectionalPyramid, Combine
from odapi.necks.bifpn_nodes import outputs, wiring

pytestmark = pytest.mark.backend
HYPERPARAMS = Hyperparams(
    norm=Norm(scale=True), activation="swish", l2=1e-4, force_use_bias=True
)


def _maps(sizes, channels):
    return [
        np.random.default_rng(n).random((2, *size, c)).astype(np.float32)
        for n, (size, c) in enumerate(zip(sizes, channels, strict=True))
    ]


def _pyramid(levels=range(3, 8), rounds=1, depth=4, method="fast_attention", first=3):
    return BidirectionalPyramid(first, 3, levels, rounds, depth, method, HYPERPARAMS)


def test_inputs_of_each_node():
    # The original's nodes: 0_up_lvl_6 and so on, in the order of its checkpoints.
    nodes = wiring(low=3, top=5, high=7, rounds=2)
    assert [(n.name, [s.name for s in n.sources]) for n in nodes] == [
        ("round_0_up_6", ["round_0_up_5"]),
        ("round_0_up_7", ["round_0_up_6"]),
        ("round_1_down_6", ["round_0_up_6", "round_0_up_7"]),
        ("round_1_down_5", ["round_0_up_5", "round_1_down_6"]),
        ("round_1_down_4", ["round_0_up_4", "round_1_down_5"]),
        ("round_1_down_3", ["round_0_up_3", "round_1_down_4"]),
        ("round_1_up_4", ["round_0_up_4", "round_1_down_4", "round_1_down_3"]),
        ("round_1_up_5", ["round_0_up_5", "round_1_down_5", "round_1_up_4"]),
        ("round_1_up_6", ["round_0_up_6", "round_1_down_6", "round_1_up_5"]),
        ("round_1_up_7", ["round_0_up_7", "round_1_up_6"]),
        ("round_2_down_6", ["round_1_up_6", "round_1_up_7"]),
        ("round_2_down_5", ["round_1_up_5", "round_2_down_6"]),
        ("round_2_down_4", ["round_1_up_4", "round_2_down_5"]),
        ("round_2_down_3", ["round_1_down_3", "round_2_down_4"]),
        ("round_2_up_4", ["round_1_up_4", "round_2_down_4", "round_2_down_3"]),
        ("round_2_up_5", ["round_1_up_5", "round_2_down_5", "round_2_up_4"]),
        ("round_2_up_6", ["round_1_up_6", "round_2_down_6", "round_2_up_5"]),
        ("round_2_up_7", ["round_1_up_7", "round_2_up_6"]),
    ]
    assert outputs(nodes) == [
        "round_2_down_3", "round_2_up_4", "round_2_up_5", "round_2_up_6",
        "round_2_up_7",
    ]  # fmt: skip


def test_two_levels_of_the_backbone_alone():
    nodes = wiring(low=4, top=5, high=5, rounds=1)
    assert [(n.name, [s.name for s in n.sources]) for n in nodes] == [
        ("round_1_down_4", ["round_0_up_4", "round_0_up_5"]),
        ("round_1_up_5", ["round_0_up_5", "round_1_down_4"]),
    ]


# Of the maps 10, 20 and 30, by hand.
@pytest.mark.parametrize(
    "method, weights, expected",
    [
        ("sum", None, 60.0),
        ("weighted_sum", [1.0, 3.0, -2.0], 10.0),
        ("attention", [1.0, 3.0, -2.0], 18.8740),
        ("attention", [2.0, 2.0, 2.0], 20.0),
        ("fast_attention", [1.0, 3.0, -2.0], 70.0 / 4.0001),
        ("fast_attention", [1.0, 1.0, 1.0], 60.0 / 3.0001),
        # All switched off: nothing, and no division by zero.
        ("fast_attention", [-1.0, 0.0, -2.0], 0.0),
    ],
)
def test_how_maps_are_added(method, weights, expected):
    combine = Combine(method)
    maps = [np.full((1, 2, 2, 3), v, np.float32) for v in (10.0, 20.0, 30.0)]
    combine.build([m.shape for m in maps])
    if weights is None:
        assert combine.weights == []
    else:
        (variable,) = combine.weights
        assert (ops.convert_to_numpy(variable) == 1).all()
        variable.assign(np.reshape(weights, (3, 1)))
    found = ops.convert_to_numpy(combine(maps))
    np.testing.assert_allclose(found, np.full((1, 2, 2, 3), expected), rtol=1e-5)


def test_the_map_above_is_made_twice_as_large():
    here = np.zeros((1, 4, 3, 1), np.float32)
    above = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32).reshape(1, 2, 2, 1)
    combine = Combine("sum")
    combine.build([here.shape, above.shape])
    found = ops.convert_to_numpy(combine([here, above]))
    assert found[0, :, :, 0].tolist() == [[1, 1, 2], [1, 1, 2], [3, 3, 4], [3, 3, 4]]


def test_further_levels_are_halved_by_their_largest_value():
    neck = _pyramid(levels=range(5, 8), depth=1)
    node = neck.nodes[1]  # Level 7 of level 6, which has the right channels.
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    node.build([x.shape])
    assert node.weights == []
    # 3 x 3 windows, the odd pixel of padding at the bottom and right.
    assert ops.convert_to_numpy(node([x]))[0, :, :, 0].tolist() == [[10, 11], [14, 15]]


@pytest.mark.parametrize("method", ["sum", "fast_attention"])
@pytest.mark.parametrize(
    "sizes",
    [
        [(16, 16), (8, 8), (4, 4)],
        [(19, 13), (10, 7), (5, 4)],  # Sizes that a stride does not divide.
        [(1, 1), (1, 1), (1, 1)],
    ],
)
def test_levels_of_the_pyramid(sizes, method):
    maps = _maps(sizes, (3, 4, 5))
    neck = _pyramid(method=method, rounds=2)
    shapes = [m.shape for m in maps]
    neck.build(shapes)
    found = neck(maps)
    half = [tuple(-(-n // 2) for n in sizes[-1])]
    half.append(tuple(-(-n // 2) for n in half[0]))
    assert [tuple(m.shape[1:3]) for m in found] == [*sizes, *half]
    assert {m.shape[3] for m in found} == {4}
    assert [tuple(s) for s in neck.compute_output_shape(shapes)] == [
        tuple(m.shape) for m in found
    ]
    assert all(np.isfinite(ops.convert_to_numpy(m)).all() for m in found)


def test_maps_that_have_the_depth_are_not_projected():
    # Level 4 has the depth already; 3 comes in once, 5 three times.
    neck = _pyramid()
    neck.build([(1, 16, 16, 3), (1, 8, 8, 4), (1, 4, 4, 5)])
    projected = [
        (node.name, n)
        for node in neck.nodes
        for n, stack in enumerate(node.projections)
        if stack.weights
    ]
    assert projected == [
        ("round_0_up_6", 0), ("round_1_down_5", 0), ("round_1_down_3", 0),
        ("round_1_up_5", 0),
    ]  # fmt: skip
    # Kernels of these four and both of each of eight separable convolutions.
    assert len(neck.losses) == 4 + 2 * 8


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"method": "mean"}, "combine_method must be one of sum, weighted_sum"),
        ({"levels": range(3, 4)}, "levels 3 to 3"),
        ({"levels": range(2, 6)}, "levels 2 to 5 cannot be built from levels 3 to 5"),
        ({"levels": range(6, 8)}, "levels 6 to 7"),
        ({"rounds": 0}, "above 0"),
        ({"depth": 0}, "above 0"),
    ],
)
def test_invalid_arguments_raise(arguments, words):
    with pytest.raises(ValueError, match=words):
        _pyramid(**arguments)
