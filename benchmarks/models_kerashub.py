"""KerasHub's RetinaNet ResNet-50, timed as `benchmarks.models` times ours.

Runs in an environment of its own, which has KerasHub and TensorFlow but not this
library:

    python -m venv .venv-kerashub
    .venv-kerashub/bin/pip install -r requirements/kerashub.txt
    python -m benchmarks.models --kerashub .venv-kerashub/bin/python

The work is the same: 640 x 640, levels 3 to 7, six anchors a place, 90 classes,
untrained weights, the same batch again and again.
"""

import argparse
import time

import numpy as np

from benchmarks.processes import median_ms, tell

_SIZE, _CLASSES, _OBJECTS = 640, 90, 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--row", choices=["infer", "train"], required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--runs", type=int, required=True)
    args = parser.parse_args()
    detector = _detector()
    if args.row == "infer":
        tell({"ms": _infer(detector, args.runs)})
    else:
        tell({"ms": _train(detector, args.batch, args.runs)})


def _detector():
    import keras_hub

    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[3, 4, 6, 3],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
        image_shape=(_SIZE, _SIZE, 3),
    )
    pyramid = keras_hub.models.RetinaNetBackbone(
        backbone,
        min_level=3,
        max_level=7,
        use_p5=True,
        use_fpn_batch_norm=True,
        image_shape=(_SIZE, _SIZE, 3),
    )
    anchors = keras_hub.layers.AnchorGenerator(
        "yxyx", 3, 7, num_scales=2, aspect_ratios=[0.5, 1.0, 2.0], anchor_size=4.0
    )
    return keras_hub.models.RetinaNetObjectDetector(
        backbone=pyramid,
        anchor_generator=anchors,
        num_classes=_CLASSES,
        bounding_box_format="yxyx",
    )


def _infer(detector, runs: int) -> float:
    import tensorflow as tf

    images = np.random.default_rng(0).uniform(0, 255, (1, _SIZE, _SIZE, 3))
    images = tf.constant(images.astype(np.float32))

    @tf.function
    def detect(images):
        outputs = detector(images, training=False)
        return detector.decode_predictions(outputs, (images, None))

    return median_ms(lambda: detect(images), runs)


def _train(detector, batch: int, runs: int) -> float:
    import keras
    import tensorflow as tf

    rng = np.random.default_rng(0)
    low = rng.uniform(0, _SIZE / 2, (batch, _OBJECTS, 2))
    boxes = np.concatenate([low, low + rng.uniform(32, 256, low.shape)], -1)
    x = rng.uniform(0, 255, (batch, _SIZE, _SIZE, 3)).astype(np.float32)
    labels = rng.integers(_CLASSES, size=(batch, _OBJECTS)).astype(np.float32)
    y = {"boxes": boxes.astype(np.float32), "labels": labels}
    detector.compile(
        optimizer=keras.optimizers.SGD(1e-4, momentum=0.9, global_clipnorm=10.0),
        box_loss=keras.losses.Huber(reduction="sum"),
        classification_loss=keras.losses.BinaryFocalCrossentropy(
            from_logits=True, reduction="sum"
        ),
    )
    ends = []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, step, logs=None):
            float(logs["loss"])  # Waits for the step.
            ends.append(time.perf_counter())

    steps = 3 + max(3, runs // 2)
    batches = tf.data.Dataset.from_tensors((x, y)).repeat()
    detector.fit(batches, steps_per_epoch=steps, callbacks=[Clock()], verbose=0)
    return 1e3 * float(np.median(np.diff(ends)[2:]))


if __name__ == "__main__":
    main()
