"""Small SavedModels as other exporters write them."""

import numpy as np

from requirement import require

tf = require("tensorflow")

OUTPUTS = ("detection_boxes", "detection_scores", "detection_classes")
BOXES = [[0.1, 0.2, 0.5, 0.6], [0.0, 0.0, 0.0, 0.0]]
ANY = [None, None, None, 3]


def bright_box(images):
    """Finds one object, class 2, whose score is the mean of the red channel."""
    batch = tf.shape(images)[0]
    mean = tf.reduce_mean(tf.cast(images, tf.float32)[..., 0], [1, 2]) / 255
    return {
        "detection_boxes": tf.tile([BOXES], [batch, 1, 1]),
        "detection_scores": tf.stack([mean, tf.zeros_like(mean)], 1),
        "detection_classes": tf.fill([batch, 2], 2.0),
        "num_detections": tf.fill([batch], 1.0),
    }  # fmt: skip


def decode(files):
    return tf.map_fn(
        lambda data: tf.io.decode_image(data, 3, expand_animations=False),
        files,
        fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
    )


def parse(examples):
    feature = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
    return decode(tf.io.parse_example(examples, feature)["image/encoded"])


def save(folder, find=bright_box, name="inputs", shape=ANY, dtype=tf.uint8, **more):
    """Writes a SavedModel with one signature and returns its folder.

    Args:
        folder: The folder.
        find: Function from the input to the outputs.
        name, shape, dtype: Of the input.
        more: Further inputs, `tf.TensorSpec`s by name; `signature`, its name.
    """
    signature = more.pop("signature", "serving_default")
    specs = [tf.TensorSpec(shape, dtype, name)]
    specs += [tf.TensorSpec(v.shape, v.dtype, k) for k, v in more.items()]
    module = tf.Module()
    module.detect = tf.function(lambda images, *_: find(images), input_signature=specs)
    concrete = module.detect.get_concrete_function()
    tf.saved_model.save(module, str(folder), signatures={signature: concrete})
    return folder


def save_v1(folder):
    """Writes a SavedModel as TensorFlow 1 did: a graph with a placeholder `inputs`."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.uint8, ANY, "image_tensor")
        signature = v1.saved_model.predict_signature_def(
            {"inputs": images}, bright_box(images)
        )
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, [v1.saved_model.SERVING], {"serving_default": signature}
        )
        builder.save()
    return folder


def red(value, height=20, width=30):
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = value
    return image
