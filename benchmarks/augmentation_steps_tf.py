"""The steps of `augmentation_steps` in TensorFlow: images in float32 of 0..255.

They do the work of the original's steps. Its conditionals and unused groundtruth are
left out, and so are conditions that reject boxes.
"""

import tensorflow as tf

from benchmarks.augmentation_steps import SIZE, make_sample
from benchmarks.input_pipeline_tf import crop, inside


def tf_runner(name: str):
    """Returns a function that augments and resizes one image, or None."""
    if name not in _STEPS:
        return None
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    def make(image, boxes, classes):
        image = tf.cast(image, tf.float32)
        image, boxes, classes = _STEPS[name](image, boxes, classes)
        image = tf.compat.v1.image.resize_bilinear(image[None], [SIZE, SIZE])[0]
        return image, boxes, classes

    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.threading.max_intra_op_parallelism = 1
    samples = tf.data.Dataset.from_tensors(make_sample()).repeat()
    iterator = iter(samples.map(make).with_options(options))
    return lambda: next(iterator)


def _color(change):
    """Returns a step that changes the image, in 0..1, and clips it."""

    def step(image, boxes, classes):
        image = tf.clip_by_value(change(image / 255.0), 0.0, 1.0) * 255.0
        return image, boxes, classes

    return step


def _pixels(change):
    """Returns a step that changes the image, in 0..255."""
    return lambda image, boxes, classes: (change(image), boxes, classes)


def _distort(image):
    for change in (
        lambda i: tf.image.random_brightness(i, 32 / 255),
        lambda i: tf.image.random_saturation(i, 0.5, 1.5),
        lambda i: tf.image.random_hue(i, 0.2),
        lambda i: tf.image.random_contrast(i, 0.5, 1.5),
    ):
        image = tf.clip_by_value(change(image / 255.0), 0.0, 1.0) * 255.0
    return image


def _gray(image):
    return tf.image.grayscale_to_rgb(tf.image.rgb_to_grayscale(image))


def _scaled_values(image):
    factors = tf.random.uniform(tf.shape(image), 0.9, 1.1)
    return tf.clip_by_value(image * factors, 0.0, 255.0)


def _patch_mask(image, top, left, side):
    """Returns 1 in a square and 0 elsewhere, `[h, w, 1]`."""
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    top, left = tf.minimum(top, height - side), tf.minimum(left, width - side)
    square = tf.ones([side, side, 1])
    return tf.image.pad_to_bounding_box(square, top, left, height, width)


def _random_corner(image):
    top = tf.random.uniform([], 0, tf.shape(image)[0], tf.int32)
    return top, tf.random.uniform([], 0, tf.shape(image)[1], tf.int32)


def _black_patches(image):
    side = tf.minimum(tf.shape(image)[0], tf.shape(image)[1]) // 10
    for _ in range(10):
        top, left = _random_corner(image)

        def blacken(image=image, top=top, left=left):
            return image * (1.0 - _patch_mask(image, top, left, side))

        image = tf.cond(tf.random.uniform([]) < 0.5, blacken, lambda image=image: image)
    return image


def _jpeg(image):
    quality = tf.random.uniform([], 0, 100, tf.int32)
    whole = tf.cast(image, tf.uint8)
    return tf.cast(tf.image.adjust_jpeg_quality(whole, quality), tf.float32)


def _patch_gaussian(image):
    side = tf.random.uniform([], 150, 250, tf.int32)
    stddev = tf.random.uniform([])
    mask = _patch_mask(image, *_random_corner(image), side)
    noise = tf.random.normal(tf.shape(image), stddev=stddev)
    noisy = tf.clip_by_value(image / 255.0 + noise, 0.0, 1.0) * 255.0
    return tf.where(mask > 0, noisy, image)


def _resize(image, height, width):
    size = tf.stack([height, width])
    return tf.compat.v1.image.resize_bilinear(image[None], size)[0]


def _scaled(image, ratio):
    shape = tf.cast(tf.shape(image)[:2], tf.float32) * ratio
    return _resize(image, *tf.unstack(tf.cast(shape, tf.int32)))


def _downscaled(image):
    pixels = tf.random.uniform([], 100000.0, 200000.0)
    area = tf.cast(tf.shape(image)[0] * tf.shape(image)[1], tf.float32)
    return _scaled(image, tf.sqrt(pixels / area))


def _resized_by_any_method(image):
    methods = [tf.compat.v1.image.resize_bilinear, tf.compat.v1.image.resize_bicubic]
    methods += [tf.compat.v1.image.resize_area]
    methods += [tf.compat.v1.image.resize_nearest_neighbor]
    cases = [lambda m=method: m(image[None], [400, 400])[0] for method in methods]
    return tf.switch_case(tf.random.uniform([], 0, 4, tf.int32), cases)


def _pad_to(image, boxes, classes, height, width):
    """Pads with the mean color to a size, at a random position."""
    rows, columns = tf.shape(image)[0], tf.shape(image)[1]
    top = tf.random.uniform([], 0, height - rows + 1, tf.int32)
    left = tf.random.uniform([], 0, width - columns + 1, tf.int32)
    mean = tf.reduce_mean(image, axis=[0, 1])
    padded = tf.image.pad_to_bounding_box(image - mean, top, left, height, width) + mean
    size = tf.cast(tf.stack([rows, columns] * 2), tf.float32)
    corner = tf.cast(tf.stack([top, left] * 2), tf.float32)
    whole = tf.cast(tf.stack([height, width] * 2), tf.float32)
    return padded, (boxes * size + corner) / whole, classes


def _pad(image, boxes, classes):
    rows, columns = tf.shape(image)[0], tf.shape(image)[1]
    height = tf.random.uniform([], rows, 2 * rows, tf.int32)
    width = tf.random.uniform([], columns, 2 * columns, tf.int32)
    return _pad_to(image, boxes, classes, height, width)


def _crop_pad(image, boxes, classes):
    sample = crop(image, boxes, classes, 0.5, (0.75, 1.33), (0.1, 1.0), 0.3)
    return _pad(*sample)


def _ssd_crop(pad, ratio):
    def step(image, boxes, classes):
        sample = crop(image, boxes, classes, 0.3, ratio, (0.1, 1.0), 0.3)
        return _pad(*sample) if pad else sample

    return step


def _crop_to_square(image, boxes, classes):
    rows, columns = tf.shape(image)[0], tf.shape(image)[1]
    side = tf.minimum(rows, columns)
    top = tf.random.uniform([], 0, rows - side + 1, tf.int32)
    left = tf.random.uniform([], 0, columns - side + 1, tf.int32)
    image = image[top : top + side, left : left + side]
    whole = tf.cast(tf.stack([rows, columns] * 2), tf.float32)
    window = tf.cast(tf.stack([top, left, top + side, left + side]), tf.float32)
    return image, *inside(boxes, classes, window / whole, 0.3)


def _self_concat(image, boxes, classes):
    image = tf.concat([image, image], axis=0)
    image = tf.concat([image, image], axis=1)
    half, shift = boxes / 2, tf.constant([[0, 0], [0, 1], [1, 0], [1, 1]]) / 2
    moved = half[None] + tf.cast(tf.tile(shift, [1, 2]), tf.float32)[:, None]
    return image, tf.reshape(moved, [-1, 4]), tf.tile(classes, [4])


def _jitter(image, boxes, classes):
    sides = boxes[:, 2:] - boxes[:, :2]
    shift = tf.random.uniform(tf.shape(boxes), -0.05, 0.05) * tf.tile(sides, [1, 2])
    return image, tf.clip_by_value(boxes + shift, 0.0, 1.0), classes


def _drop_label(image, boxes, classes):
    drawn = tf.random.uniform(tf.shape(classes)) < 0.5
    keep = tf.logical_not(tf.logical_and(classes == 0, drawn))
    return image, tf.boolean_mask(boxes, keep), tf.boolean_mask(classes, keep)


def _remap(image, boxes, classes):
    return image, boxes, tf.where(classes < 2, 2, classes)


def _flip(image, boxes, classes):
    y_min, x_min, y_max, x_max = tf.unstack(boxes, axis=1)
    boxes = tf.stack([y_min, 1 - x_max, y_max, 1 - x_min], axis=1)
    return tf.image.flip_left_right(image), boxes, classes


_STEPS = {
    "resize only": lambda *sample: sample,
    "random_horizontal_flip": _flip,
    "random_distort_color": _pixels(_distort),
    "adjust_gamma": _color(lambda image: tf.image.adjust_gamma(image, 0.7)),
    "random_rgb_to_gray": _pixels(_gray),
    "random_pixel_value_scale": _pixels(_scaled_values),
    "random_black_patches": _pixels(_black_patches),
    "random_jpeg_quality": _pixels(_jpeg),
    "random_patch_gaussian": _pixels(_patch_gaussian),
    "normalize_image": _pixels(lambda image: image / 255.0),
    "subtract_channel_mean": _pixels(lambda image: image - [124.0, 117.0, 104.0]),
    "random_image_scale": _pixels(lambda i: _scaled(i, tf.random.uniform([], 0.5, 2))),
    "random_jitter_boxes": _jitter,
    "random_pad_image": _pad,
    "random_crop_pad_image": _crop_pad,
    "random_crop_to_aspect_ratio": _crop_to_square,
    "random_resize_method": _pixels(_resized_by_any_method),
    "resize_image": _pixels(lambda image: _resize(image, 400, 400)),
    "ssd_random_crop_pad": _ssd_crop(True, (0.5, 2.0)),
    "ssd_random_crop_fixed_aspect_ratio": _ssd_crop(False, (1.0, 1.0)),
    "ssd_random_crop_pad_fixed_aspect_ratio": _ssd_crop(True, (0.5, 2.0)),
    "random_self_concat_image": _self_concat,
    "drop_label_probabilistically": _drop_label,
    "remap_labels": _remap,
    "random_downscale_to_target_pixels": _pixels(_downscaled),
}
