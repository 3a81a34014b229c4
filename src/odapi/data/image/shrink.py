"""Downscaling of encoded images, for datasets that are read often."""

import cv2

from odapi.data.image.decode import decode_image

_QUALITY = 90


def shrunk_jpeg(
    data: bytes, longest: int, place: str = "image"
) -> tuple[bytes, tuple[int, int]]:
    """Returns an image as JPEG, its longer side at most `longest`, and its (h, w).

    The EXIF orientation is not applied, so that boxes of the stored image fit. An
    image that is small enough is returned unchanged, byte for byte.

    Raises:
        DataError: The bytes are not an image.
    """
    image = decode_image(data, place, orient=False)
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return data, (height, width)
    size = (max(int(width * scale), 1), max(int(height * scale), 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return encoded.tobytes(), (size[1], size[0])
