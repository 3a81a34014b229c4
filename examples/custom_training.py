"""Trains on samples in memory, with a callback, an augmentation and a tracker.

    python examples/custom_training.py OUTPUT_DIR

Explained in docs/training.md, "Training from Python". A test runs it.
"""

import sys

import keras
import numpy as np

import odapi

CLASSES = ["dark", "bright"]


class Squares:
    """A dataset: gray images with one dark or bright square."""

    def __init__(self, num_images, seed=0):
        self.num_images, self.seed = num_images, seed

    def __len__(self):
        return self.num_images

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, index])
        image = rng.integers(100, 150, (128, 128, 3), dtype=np.uint8)
        bright = int(rng.integers(2))
        top, left, size = rng.integers(0, 64, 2).tolist() + [int(rng.integers(32, 64))]
        image[top : top + size, left : left + size] = 220 if bright else 20
        box = np.array([top, left, top + size, left + size], np.float32) / 128
        return {"image": image, "boxes": box[None], "classes": [bright]}


def add_noise(sample, rng):
    """An augmentation: plain arrays in, plain arrays out."""
    noise = rng.normal(0, 8, sample["image"].shape)
    image = np.clip(sample["image"] + noise, 0, 255).astype(np.uint8)
    return sample | {"image": image}


class PrintEpochs(keras.callbacks.Callback):
    """Prints the loss and the mAP at the end of every epoch."""

    def on_epoch_end(self, epoch, logs=None):
        """Called after each evaluation."""
        mean_ap = logs.get("DetectionBoxes_Precision/mAP", float("nan"))
        print(f"epoch {epoch}: loss {logs['loss']:.3f}, mAP {mean_ap:.3f}")


class MaxLoss:
    """A tracker that keeps the largest loss."""

    def __init__(self):
        self.value = 0.0

    def scalars(self, step, values):
        """Gets losses and metrics by name."""
        self.value = max(self.value, values.get("train/Loss/total_loss", 0.0))

    def images(self, step, tag, images):
        """Gets input images and drawn detections; they are not needed here."""

    def text(self, tag, text):
        """Gets the config."""

    def close(self):
        """Called once, at the end."""
        print(f"largest loss: {self.value:.3f}")


def main(output_dir, num_steps=4):
    """Trains, and returns the outcome."""
    model = odapi.models.SSD(classes=CLASSES, image_size=128, backbone="mobilenet_v2")
    return odapi.train(
        model,
        output_dir,
        ["options.evaluation.every_n_steps=2"],
        train_data=Squares(32),
        eval_data=Squares(8, seed=1),
        classes=CLASSES,
        augmentations=[add_noise],
        callbacks=[PrintEpochs()],
        trackers=[MaxLoss()],
        num_steps=num_steps,
        batch_size=4,
    )


if __name__ == "__main__":
    main(sys.argv[1])
