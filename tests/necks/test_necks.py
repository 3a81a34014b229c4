"""Feature pyramids: sizes and sums."""

import numpy as np
import pytest
from keras import ops

from odapi.layers.hyperparams import DepthMultiplier, Hyperparams
from odapi.layers.norm import Norm
from odapi.layers.resample import upsample_nearest
from odapi.necks.fpn import FeaturePyramid
from odapi.necks.ssd_pyramid import SsdPyramid

pytestmark = pytest.mark.backend
HYPERPARAMS = Hyperparams(norm=Norm(scale=True), activation="relu_6", l2=1e-4)


def _maps(sizes, channels):
    return [
        np.random.default_rng(n).random((2, *size, c)).astype(np.float32)
        for n, (size, c) in enumerate(zip(sizes, channels, strict=True))
    ]


def _run(neck, maps):
    neck.build([m.shape for m in maps])
    outputs = neck(maps)
    shapes = [tuple(o.shape) for o in outputs]
    assert [tuple(s) for s in neck.compute_output_shape([m.shape for m in maps])] == (
        shapes
    )
    return outputs, shapes


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(
    "sizes",
    [
        [(16, 16), (8, 8), (4, 4)],
        [(19, 13), (10, 7), (5, 4)],  # Sizes that a stride does not divide.
        [(1, 1), (1, 1), (1, 1)],
    ],
)
def test_levels_of_a_feature_pyramid(sizes, depthwise):
    neck = FeaturePyramid(range(1, 3), 2, 6, HYPERPARAMS, use_depthwise=depthwise)
    outputs, shapes = _run(neck, _maps(sizes, (3, 4, 5)))
    half = [tuple(-(-n // 2) for n in sizes[-1])]
    half.append(tuple(-(-n // 2) for n in half[0]))
    assert [s[1:3] for s in shapes] == [*sizes[1:], *half]
    assert {s[3] for s in shapes} == {6}
    assert all(np.isfinite(ops.convert_to_numpy(o)).all() for o in outputs)


def test_the_top_is_the_bare_projection():
    neck = FeaturePyramid(range(0, 2), 0, 3, Hyperparams(activation="relu"))
    maps = _maps([(4, 4), (2, 2)], (2, 2))
    outputs, _ = _run(neck, maps)
    kernel, bias = (ops.convert_to_numpy(w) for w in neck.projections[1].weights)
    np.testing.assert_allclose(
        ops.convert_to_numpy(outputs[1]), maps[1] @ kernel[0, 0] + bias, atol=1e-5
    )
    assert (ops.convert_to_numpy(outputs[1]) < 0).any()


def test_nearest_upsampling_repeats_cells():
    x = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32).reshape(1, 2, 2, 1)
    y = ops.convert_to_numpy(upsample_nearest(ops.convert_to_tensor(x), (1, 4, 3, 1)))
    assert y[0, :, :, 0].tolist() == [[1, 1, 2], [1, 1, 2], [3, 3, 4], [3, 3, 4]]


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("explicit", [False, True])
def test_further_maps_of_ssd(depthwise, explicit):
    neck = SsdPyramid(
        2, (64, 32), DepthMultiplier(0.5, 8), HYPERPARAMS, depthwise, explicit
    )
    _, shapes = _run(neck, _maps([(9, 9), (5, 5)], (3, 4)))
    assert shapes == [(2, 9, 9, 3), (2, 5, 5, 4), (2, 3, 3, 32), (2, 2, 2, 16)]
    # 1 x 1 convolutions are regularized, the depthwise one only if asked.
    assert len(neck.losses) == 4


def test_fewer_maps_than_the_backbone_has():
    neck = SsdPyramid(1, (), DepthMultiplier(), HYPERPARAMS)
    _, shapes = _run(neck, _maps([(9, 9), (5, 5)], (3, 4)))
    assert shapes == [(2, 9, 9, 3)]
