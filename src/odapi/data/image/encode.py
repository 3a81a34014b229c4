"""Encoding of images for datasets."""

import cv2
import numpy as np
import simplejpeg

JPEG_QUALITY = 97


def encode_png(image: np.ndarray) -> bytes:
    """Returns a PNG of an image `[h, w, 3]` uint8 RGB, which decodes to the same."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", bgr)[1].tobytes()


def encode_jpeg(image: np.ndarray) -> bytes:
    """Returns a JPEG of an image `[h, w, 3]` uint8 RGB, with full color resolution."""
    data: bytes = simplejpeg.encode_jpeg(
        np.ascontiguousarray(image),
        quality=JPEG_QUALITY,
        colorspace="RGB",
        colorsubsampling="444",
    )
    return data
