"""Decoders of CenterNet, by hand."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from odapi.layers.names import named_variables
from odapi.necks.center_decoder import (
    DEFAULT_HYPERPARAMS,
    TransposedDecoder,
    UpsamplingDecoder,
)

pytestmark = pytest.mark.backend
# No norm, so that numbers stay readable.
PLAIN = dataclasses.replace(DEFAULT_HYPERPARAMS, norm=None)


def _built(decoder, maps, value=None):
    decoder.build([m.shape for m in maps])
    for name, variable in named_variables(decoder).items():
        if value is not None and "kernel" in name:
            variable.assign(np.full(variable.shape, value, np.float32))
    return decoder


def _maps(*values):
    """One channel of one value each, the first of 4 x 4 and then ever smaller."""
    return [
        np.full((1, 4 >> n, 4 >> n, 1), value, np.float32)
        for n, value in enumerate(values)
    ]


def test_top_down_pathway_adds_maps():
    maps = _maps(3.0, 5.0)
    decoder = _built(UpsamplingDecoder((1,), PLAIN, name="neck"), maps, 1.0)
    (out,) = decoder(maps)
    # Every sum is 3 + 5; a window of 3 x 3 sees 4 cells in a corner, 6 at an edge, 9.
    expected = 8.0 * np.array([[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]])
    np.testing.assert_allclose(ops.convert_to_numpy(out)[0, :, :, 0], expected)


@pytest.mark.parametrize("separable", [False, True])
def test_each_step_ends_with_the_channels_of_the_next(separable):
    maps = _maps(1.0, 2.0, 3.0)
    decoder = _built(
        UpsamplingDecoder((6, 4), PLAIN, use_separable_conv=separable, name="neck"),
        maps,
    )
    variables = named_variables(decoder)
    shapes = {n: tuple(v.shape) for n, v in variables.items() if "kernel" in n}
    inner = (
        {
            "smoothing_0/conv/depthwise_kernel": (3, 3, 6, 1),
            "smoothing_0/conv/pointwise_kernel": (1, 1, 6, 4),
            "smoothing_1/conv/depthwise_kernel": (3, 3, 4, 1),
            "smoothing_1/conv/pointwise_kernel": (1, 1, 4, 4),
        }
        if separable
        else {
            "smoothing_0/conv/kernel": (3, 3, 6, 4),
            "smoothing_1/conv/kernel": (3, 3, 4, 4),
        }
    )
    assert shapes == {
        "top/kernel": (1, 1, 1, 6),
        "projection_0/kernel": (1, 1, 1, 6),
        "projection_1/kernel": (1, 1, 1, 4),
        **inner,
    }
    assert [tuple(m.shape) for m in decoder(maps)] == [(1, 4, 4, 4)]
    assert decoder.compute_output_shape([m.shape for m in maps]) == [(1, 4, 4, 4)]


def test_bilinear_doubling_is_smooth():
    ramp = np.array([[0.0, 4.0], [0.0, 4.0]], np.float32)[None, :, :, None]
    maps = [np.zeros((1, 4, 4, 1), np.float32), ramp]
    sums = []
    for upsampling in ("nearest", "bilinear"):
        decoder = UpsamplingDecoder((1,), PLAIN, upsampling=upsampling, name="neck")
        (out,) = _built(decoder, maps, 1.0)(maps)
        sums.append(ops.convert_to_numpy(out)[0, 1, :, 0])
    # Columns 0 0 4 4 and 0 1 3 4, three rows of each.
    np.testing.assert_allclose(sums[0], [0, 12, 24, 24])
    np.testing.assert_allclose(sums[1], [3, 12, 24, 21])


def test_unknown_upsampling_raises():
    with pytest.raises(ValueError, match=r"nearest.*got 'area'"):
        UpsamplingDecoder((1,), PLAIN, upsampling="area")


def test_transposed_convolutions_double_the_last_map():
    maps = [np.full((1, 8, 8, 1), 9.0, np.float32), _maps(1.0)[0][:, :2, :2]]
    decoder = _built(TransposedDecoder((1,), 1, PLAIN, name="neck"), maps, 1.0)
    (out,) = decoder(maps)
    # A cell at row 2 i reaches rows 2 i to 2 i + 2, cut at the end, as "same" does.
    rows = np.array([1, 1, 2, 1])
    np.testing.assert_allclose(
        ops.convert_to_numpy(out)[0, :, :, 0], np.outer(rows, rows)
    )
    assert decoder.compute_output_shape([m.shape for m in maps]) == [(1, 4, 4, 1)]


def test_a_norm_and_an_activation_follow_every_convolution_but_projections():
    maps = _maps(1.0, 2.0)
    up = _built(UpsamplingDecoder((2,), DEFAULT_HYPERPARAMS, name="neck"), maps)
    down = _built(TransposedDecoder((2,), 3, DEFAULT_HYPERPARAMS, name="neck"), maps)
    gammas = [n for n in named_variables(up) if n.endswith("gamma")]
    assert gammas == ["smoothing_0/conv_norm/gamma"]
    gammas = [n for n in named_variables(down) if n.endswith("gamma")]
    assert gammas == ["step_0/conv_norm/gamma", "step_0/up_norm/gamma"]
    for decoder in (up, down):
        biases = [n for n in named_variables(decoder) if n.endswith("/bias")]
        kernels = [n for n in named_variables(decoder) if n.endswith("/kernel")]
        assert len(biases) == len(kernels)
        assert (ops.convert_to_numpy(decoder(maps)[0]) >= 0).all()
