"""Images in the form that the input of a signature takes."""

from typing import Any

import numpy as np

from odapi.data.image.resize import FixedShape
from odapi.draw.file import encode_image
from odapi.exporters.saved_model.detection_signature import ImageInput

PIXELS, FILES, EXAMPLES = "pixels", "files", "tf.Examples"
_GRAY = np.array([0.2989, 0.5870, 0.1140], np.float32)  # ITU-R BT.601.


class ImageEncoder:
    """Converts batches of images for one input.

    Args:
        given: The input.

    Attributes:
        forms: What the input may take, the most likely first: an input of strings is
            the same for image files and for tf.Examples.
    """

    def __init__(self, given: ImageInput):
        self._input = given
        self.forms: tuple[str, ...] = (PIXELS,)
        if given.is_encoded:
            self.forms = (FILES, EXAMPLES)
        if given.is_encoded and given.takes_examples:
            self.forms = (EXAMPLES,)

    def encode(self, images: np.ndarray, form: str) -> Any:
        """Returns the value of the input.

        Args:
            images: `[b, h, w, 3]` uint8 RGB.
            form: One of `forms`.
        """
        if form == PIXELS:
            return self._pixels(images)
        files = [encode_image(image) for image in images]
        if form == EXAMPLES:
            files = [example_of_image(data) for data in files]
        return np.array(files, object)

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        size = self._input.size
        if size is not None and images.shape[1:3] != size:
            resizer = FixedShape(*size)
            images = np.stack([resizer.resize(image)[0] for image in images])
        if self._input.is_gray:
            images = (images @ _GRAY)[..., None]
        dtype = self._input.spec.dtype.as_numpy_dtype
        if np.issubdtype(dtype, np.integer) and images.dtype != np.uint8:
            images = np.round(images)
        return images.astype(dtype)


def example_of_image(encoded: bytes) -> bytes:
    """Returns a serialized tf.Example with an image file."""
    import tensorflow as tf

    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    features = tf.train.Features(feature={"image/encoded": feature})
    return tf.train.Example(features=features).SerializeToString()
