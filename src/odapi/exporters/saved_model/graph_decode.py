"""Decoding of image files in TensorFlow operations.

TensorFlow's decoder differs from that of the host in three kinds of files. BMP files
with a palette, which it reads as gray, are repaired here. EXIF orientations are
ignored, as in the original, and formats besides JPEG, PNG, BMP and GIF are refused.
"""

from odapi.structures import Tensor

# Offsets in a BMP file. Source: BITMAPFILEHEADER and BITMAPINFOHEADER of Windows.
_PIXELS, _HEADER_SIZE, _WIDTH, _HEIGHT = 10, 14, 18, 22
_BITS, _COMPRESSION, _COLORS, _END = 28, 30, 46, 54
_FILE_HEADER = 14
_MAX_BITS = 8  # Per pixel, of images with a palette.


def encoded_of(examples: Tensor) -> Tensor:
    """Returns the encoded images `[b]` of serialized tf.Examples `[b]`."""
    import tensorflow as tf

    feature = tf.io.FixedLenFeature([], tf.string)
    return tf.io.parse_example(examples, {"image/encoded": feature})["image/encoded"]


def decode(data: Tensor) -> Tensor:
    """Returns an image file, a scalar string, as uint8 RGB `[h, w, 3]`."""
    import tensorflow as tf

    image = tf.cond(
        _has_palette(data),
        lambda: _decode_palette(data),
        lambda: tf.io.decode_image(data, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, 3])


def _has_palette(data: Tensor) -> Tensor:
    """Returns whether a file is a BMP with 1, 4 or 8 bits per pixel."""
    import tensorflow as tf

    start = tf.strings.substr(data, 0, 2)
    is_bmp = tf.equal(start, b"BM") & (tf.strings.length(data) >= _END)
    return tf.cond(
        is_bmp,
        lambda: _number(data, _BITS, 2) <= _MAX_BITS,
        lambda: tf.constant(False),
    )


def _decode_palette(data: Tensor) -> Tensor:
    """Returns the colors of a BMP with a palette, uint8 `[h, w, 3]`."""
    import tensorflow as tf

    bits = _number(data, _BITS, 2)
    width, height = _number(data, _WIDTH, 4), _number(data, _HEIGHT, 4)
    check = tf.debugging.Assert(
        tf.equal(_number(data, _COMPRESSION, 4), 0),
        ["a compressed BMP file cannot be decoded; save it as PNG"],
    )
    with tf.control_dependencies([check]):
        row = (width * bits + 31) // 32 * 4  # Rows fill multiples of four bytes.
    rows = tf.abs(height)
    pixels = tf.strings.substr(data, _number(data, _PIXELS, 4), row * rows)
    stored = tf.reshape(tf.io.decode_raw(pixels, tf.uint8), [rows, row, 1])
    # Several pixels per byte, the highest bits first: [rows, row, pixels].
    shifts = tf.range(_MAX_BITS - bits, -1, -bits)
    values = tf.bitwise.right_shift(tf.cast(stored, tf.int32), shifts)
    values = tf.bitwise.bitwise_and(values, tf.bitwise.left_shift(1, bits) - 1)
    indices = tf.reshape(values, [rows, -1])[:, :width]
    indices = tf.cond(height > 0, lambda: tf.reverse(indices, [0]), lambda: indices)
    return tf.gather(_palette(data, bits), indices)


def _palette(data: Tensor, bits: Tensor) -> Tensor:
    """Returns the colors of a BMP, uint8 RGB `[n, 3]`."""
    import tensorflow as tf

    most = tf.bitwise.left_shift(1, bits)
    colors = _number(data, _COLORS, 4)
    colors = tf.where(colors == 0, most, tf.minimum(colors, most))
    first = _FILE_HEADER + _number(data, _HEADER_SIZE, 4)
    entries = tf.io.decode_raw(tf.strings.substr(data, first, 4 * colors), tf.uint8)
    return tf.reverse(tf.reshape(entries, [-1, 4])[:, :3], [-1])  # From BGR.


def _number(data: Tensor, offset: int, size: int) -> Tensor:
    """Returns a little-endian number in a file as int32."""
    import tensorflow as tf

    part = tf.io.decode_raw(tf.strings.substr(data, offset, size), tf.uint8)
    factors = tf.constant([1 << (8 * i) for i in range(size)], tf.int64)
    return tf.cast(tf.reduce_sum(tf.cast(part, tf.int64) * factors), tf.int32)
