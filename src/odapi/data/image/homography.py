"""Warps of images, masks and points by any affine or perspective map.

A map is a matrix `[3, 3]` from old to new positions `(x, y, 1)` in pixels, where the
image extends from 0 to its width and height and pixel `i` has its center at `i + 0.5`.
"""

import cv2
import numpy as np

# From positions to the indices of OpenCV, where the first pixel's center is 0.
_TO_INDEX = np.array([[1.0, 0.0, -0.5], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]])
_FROM_INDEX = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])


def shifted(x: float, y: float) -> np.ndarray:
    """Returns the map that adds `x` and `y` pixels."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def about(center: tuple[float, float], matrix: np.ndarray) -> np.ndarray:
    """Returns a map applied about a center `(x, y)` instead of the first corner."""
    x, y = center
    return shifted(x, y) @ matrix @ shifted(-x, -y)


def rotated(degrees: float) -> np.ndarray:
    """Returns the counter-clockwise rotation about the first corner."""
    angle = np.radians(degrees)
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def warp_image(
    image: np.ndarray,
    matrix: np.ndarray,
    fill: float,
    nearest: bool = False,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Returns an image, warped.

    Args:
        image: `[h, w, c]` or `[h, w]`.
        matrix: The map.
        fill: Value outside of the old image.
        nearest: Whether to copy pixels instead of interpolating.
        size: Height and width of the result; None: those of the image.
    """
    height, width = size or image.shape[:2]
    color = image.ndim == 3 and image.shape[2] == 3
    if color:  # OpenCV warps four channels in two thirds of the time of three.
        image = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    flags = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    indices = _TO_INDEX @ matrix @ _FROM_INDEX
    is_affine = not indices[2, :2].any()
    warp = cv2.warpAffine if is_affine else cv2.warpPerspective
    warped = warp(
        image,
        indices[:2] / indices[2, 2] if is_affine else indices,
        (width, height),
        flags=flags,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(fill,) * 4,
    )
    if color:
        warped = cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB)
    return warped


def move(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns positions `[..., 2]`, each (x, y), after a map; NaN stays NaN.

    Positions behind the horizon of a perspective, which no pixel shows, become NaN.
    """
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    denominator = moved[..., 2:]
    return moved[..., :2] / np.where(denominator > 0, denominator, np.nan)


def move_boxes(matrix: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Returns the bounding boxes of the moved corners of boxes `[n, 4]`, in pixels.

    Args:
        matrix: The map.
        boxes: `[y_min, x_min, y_max, x_max]`, in pixels.
    """
    y_min, x_min, y_max, x_max = boxes.T
    corners = np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]])
    moved = move(matrix, corners.transpose(2, 0, 1))  # [n, corner, (x, y)]
    low, high = moved.min(axis=1), moved.max(axis=1)
    return np.concatenate([low[:, ::-1], high[:, ::-1]], axis=1)
