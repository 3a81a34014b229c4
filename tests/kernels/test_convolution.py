"""torch's channels-last convolution against plain sums."""

import itertools

import numpy as np
import pytest
from keras import ops

from odapi.kernels.convolution import has_native_convolution, native_convolution

pytestmark = [
    pytest.mark.backend,
    pytest.mark.skipif(not has_native_convolution(), reason="torch's kernel"),
]


def _sums(x, kernel, strides, margins, dilation, groups):
    """The sums that a convolution is, one output pixel at a time, in float64."""
    x = np.pad(x.astype(np.float64), ((0, 0), *margins, (0, 0)))
    rows, columns, depth, filters = kernel.shape
    reach = [(size - 1) * d for size, d in zip((rows, columns), dilation, strict=True)]
    high, wide = (
        (length - r - 1) // stride + 1
        for length, r, stride in zip(x.shape[1:3], reach, strides, strict=True)
    )
    outputs = np.zeros((x.shape[0], high, wide, filters))
    for i, j, f in itertools.product(range(high), range(wide), range(filters)):
        group = f // (filters // groups)
        y, z = i * strides[0], j * strides[1]
        part = x[
            :,
            y : y + reach[0] + 1 : dilation[0],
            z : z + reach[1] + 1 : dilation[1],
            group * depth : (group + 1) * depth,
        ]
        outputs[:, i, j, f] = (part * kernel[..., f]).sum((1, 2, 3))
    return outputs


@pytest.mark.parametrize(
    "size, kernel, strides, margins, dilation, groups",
    [
        ((1, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),  # One pixel.
        ((5, 7), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
        ((6, 8), (3, 3), (2, 2), ((0, 1), (0, 1)), (1, 1), 1),  # "same" of a stride
        ((6, 5), (3, 1), (2, 1), ((1, 1), (0, 0)), (1, 1), 1),
        ((7, 7), (3, 3), (1, 1), ((2, 2), (2, 2)), (2, 2), 1),
        ((5, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 2),
        ((5, 5), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 4),  # Depthwise.
    ],
)
def test_native_convolution_equals_plain_sums(
    size, kernel, strides, margins, dilation, groups
):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *size, 4)).astype(np.float32)
    weights = rng.normal(size=(*kernel, 4 // groups, 8)).astype(np.float32)
    options = (strides, margins, dilation, groups)
    found = native_convolution(ops.convert_to_tensor(x), weights, *options)
    expected = _sums(x, weights, *options)
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-4)


def test_native_convolution_preserves_the_memory_format():
    x = ops.ones((2, 8, 6, 5))
    found = native_convolution(x, ops.ones((3, 3, 5, 7)), margins=((1, 1), (1, 1)))
    assert found.shape == (2, 8, 6, 7)
    assert found.is_contiguous()
