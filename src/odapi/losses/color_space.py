"""Conversion of sRGB to the perceptually uniform color space CIE L*a*b*."""

import numpy as np
from keras import ops

from odapi.structures import Tensor

# From linear sRGB to CIE XYZ, relative to the white point D65.
_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
) / np.array([[0.95047], [1.0], [1.08883]])


def rgb_to_lab(images: Tensor) -> Tensor:
    """Returns L, a and b of sRGB colors `[..., 3]` in [0, 1]; L is in [0, 100].

    >>> lab = rgb_to_lab([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    >>> ops.convert_to_numpy(lab)[:, 0].round(2).tolist()
    [0.0, 100.0]

    Source: CIE 1976 L*a*b*, with the constants of scikit-image and tensorflow-io.
    """
    rgb = ops.convert_to_tensor(images, dtype="float32")
    curved = ops.power((ops.maximum(rgb, 0.0) + 0.055) / 1.055, 2.4)
    linear = ops.where(rgb > 0.04045, curved, rgb / 12.92)
    to_xyz = ops.convert_to_tensor(_TO_XYZ.T, dtype="float32")
    xyz = ops.matmul(linear, to_xyz)
    root = ops.power(ops.maximum(xyz, 0.008856), 1.0 / 3.0)
    f = ops.where(xyz > 0.008856, root, xyz * 7.787 + 16.0 / 116.0)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    lab = [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    return ops.stack(lab, axis=-1)
