"""The reference of benchmarks/input_pipeline: the same work in tf.data.

As the original has it: records parsed one by one, images in float32 of 0..255, one
op after the other, colors by tf.image in 0..1 and clipped after each. Its many
conditionals and unused groundtruth are left out.
"""

import numpy as np
import tensorflow as tf

from benchmarks.input_pipeline import BATCH, MAX_BOXES, WORK

_COLORS = ("brightness", "contrast", "saturation", "hue")
_SSD = np.float32([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])


def tf_batches(records: str, work: str, threads: int, resize_first: bool, cache: bool):
    """Returns an endless tf.data.Dataset of batches, run by so many threads.

    Args:
        records: File of tf.Examples.
        work: Key of `WORK`.
        threads: That work.
        resize_first: Colours come after resizing.
        cache: Pictures are decoded once.
    """
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    size, steps = WORK[work]
    geometry = [s for s in steps.split(", ") if s not in _COLORS]
    colors = [s for s in steps.split(", ") if s in _COLORS]

    def decode(record):
        encoded, boxes, classes = _parse(record)
        image = tf.io.decode_jpeg(encoded, 3, dct_method="INTEGER_ACCURATE")
        return image, boxes, classes

    def make(image, boxes, classes):
        image = tf.cast(image, tf.float32)
        for step in geometry:
            image, boxes, classes = _GEOMETRY[step](image, boxes, classes, size)
        if not resize_first:
            image = _colored(image, colors) / 127.5 - 1.0
        if not resize_first or "scale_crop_and_pad_to_square" not in geometry:
            image = tf.compat.v1.image.resize_bilinear(image[None], [size, size])[0]
        if resize_first:
            image = _colored(image, colors) / 127.5 - 1.0
        image.set_shape([size, size, 3])
        missing = MAX_BOXES - tf.shape(boxes)[0]
        boxes = tf.pad(boxes, [[0, missing], [0, 0]])
        classes = tf.pad(classes, [[0, missing]])
        boxes.set_shape([MAX_BOXES, 4])
        classes.set_shape([MAX_BOXES])
        return image, boxes, classes, tf.shape(boxes)[0]

    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    samples = tf.data.TFRecordDataset(records)
    if cache:
        samples = samples.map(decode).cache().shuffle(1000, seed=1).repeat()
        samples = samples.map(make, num_parallel_calls=threads)
    else:
        samples = samples.shuffle(1000, seed=1).repeat()
        samples = samples.map(
            lambda record: make(*decode(record)), num_parallel_calls=threads
        )
    return samples.batch(BATCH, drop_remainder=True).prefetch(2).with_options(options)


def _parse(record):
    name = "image/object/bbox/"
    sides = [name + side for side in ("ymin", "xmin", "ymax", "xmax")]
    features = {side: tf.io.VarLenFeature(tf.float32) for side in sides}
    features["image/encoded"] = tf.io.FixedLenFeature([], tf.string)
    features["image/object/class/label"] = tf.io.VarLenFeature(tf.int64)
    parsed = tf.io.parse_single_example(record, features)
    boxes = tf.stack([tf.sparse.to_dense(parsed[side]) for side in sides], axis=1)
    classes = tf.sparse.to_dense(parsed["image/object/class/label"])
    boxes, classes = boxes[:MAX_BOXES], tf.cast(classes[:MAX_BOXES], tf.int32)
    return parsed["image/encoded"], boxes, classes


def _flip(image, boxes, classes, size):
    def flipped():
        y_min, x_min, y_max, x_max = tf.unstack(boxes, axis=1)
        moved = tf.stack([y_min, 1 - x_max, y_max, 1 - x_min], axis=1)
        return tf.image.flip_left_right(image), moved

    image, boxes = tf.cond(tf.random.uniform([]) < 0.5, flipped, lambda: (image, boxes))
    return image, boxes, classes


def crop(image, boxes, classes, covered, ratio, area, overlap):
    begin, extent, window = tf.image.sample_distorted_bounding_box(
        tf.shape(image),
        boxes[None],
        min_object_covered=covered,
        aspect_ratio_range=ratio,
        area_range=area,
        max_attempts=100,
        use_image_if_no_bounding_boxes=True,
    )
    image = tf.slice(image, begin, extent)
    window = window[0, 0]
    boxes, classes = inside(boxes, classes, window, overlap)
    return image, boxes, classes


def inside(boxes, classes, window, overlap):
    low = tf.maximum(boxes[:, :2], window[:2])
    high = tf.minimum(boxes[:, 2:], window[2:])
    common = tf.reduce_prod(tf.maximum(high - low, 0), axis=1)
    area = tf.reduce_prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    keep = tf.logical_and(common > 0, common >= overlap * area)
    extent = window[2:] - window[:2]
    boxes = (boxes - tf.tile(window[:2], [2])) / tf.tile(extent, [2])
    boxes = tf.clip_by_value(tf.boolean_mask(boxes, keep), 0.0, 1.0)
    return boxes, tf.boolean_mask(classes, keep)


def _crop_image(image, boxes, classes, size):
    return crop(image, boxes, classes, 0.5, (0.75, 1.33), (0.3, 1.0), 0.3)


def _ssd_random_crop(image, boxes, classes, size):
    share = tf.gather(_SSD, tf.random.uniform([], 0, len(_SSD), tf.int32))

    def cropped():
        return crop(image, boxes, classes, share, (0.5, 2.0), (0.1, 1.0), share)

    return tf.cond(
        tf.random.uniform([]) > 0.15, cropped, lambda: (image, boxes, classes)
    )


def _scale_crop_pad(image, boxes, classes, size):
    shape = tf.cast(tf.shape(image)[:2], tf.float32)
    scale = tf.random.uniform([], 0.5, 1.5) * size / tf.reduce_max(shape)
    scaled = tf.cast(shape * scale, tf.int32)
    room = tf.cast(tf.maximum(scaled - size, 0), tf.float32)
    offset = tf.cast(room * tf.random.uniform([2]), tf.int32)
    image = tf.compat.v1.image.resize_bilinear(image[None], scaled)[0]
    image = image[offset[0] : offset[0] + size, offset[1] : offset[1] + size]
    image = tf.image.pad_to_bounding_box(image, 0, 0, size, size)
    corner = tf.cast(offset, tf.float32) / tf.cast(scaled, tf.float32)
    extent = float(size) / tf.cast(scaled, tf.float32)
    window = tf.concat([corner, corner + extent], axis=0)
    boxes, classes = inside(boxes, classes, window, 0.0)
    return image, boxes, classes


def _colored(image, colors):
    for name in colors:
        image = _COLOR[name](image / 255.0) * 255.0
        image = tf.clip_by_value(image, 0.0, 255.0)
    return image


_GEOMETRY = {
    "flip": _flip,
    "crop_image": _crop_image,
    "ssd_random_crop": _ssd_random_crop,
    "scale_crop_and_pad_to_square": _scale_crop_pad,
}
_COLOR = {
    "brightness": lambda image: tf.image.random_brightness(image, 0.2),
    "contrast": lambda image: tf.image.random_contrast(image, 0.8, 1.25),
    "saturation": lambda image: tf.image.random_saturation(image, 0.8, 1.25),
    "hue": lambda image: tf.image.random_hue(image, 0.02),
}
