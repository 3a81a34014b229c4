"""Trains a tiny detector for many steps, and measures the memory of the process.

python memory_growth.py FOLDER NUM_STEPS

Prints a JSON object: MB per 1000 steps that the resident memory grows by after the
warm-up, and the measurements.
"""
# ruff: noqa: E402

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from odapi.runtime import backend

backend.load()

import keras
import numpy as np
from keras import ops

import odapi
import tiny_data
from odapi.data.loader.malloc import keep_freed_memory
from odapi.structures import Detections
from odapi.training import parts as module
from tiny_detector import TinyDetector
from tiny_samples import train_config

SIZE = "model.ssd.image_resizer.fixed_shape_resizer={height: 16 width: 16}"
_PAGE = os.sysconf("SC_PAGE_SIZE")


class DetectingDetector(TinyDetector):
    """Also detects the one box that it predicts."""

    def decode(self, inputs, outputs, raw=False):
        scores = ops.softmax(outputs["classes"])
        low = ops.minimum(outputs["boxes"][:, :2], outputs["boxes"][:, 2:])
        high = ops.maximum(outputs["boxes"][:, :2], outputs["boxes"][:, 2:]) + 0.1
        return Detections(
            boxes=ops.concatenate([low, high], -1)[:, None],
            scores=ops.max(scores, -1, keepdims=True),
            classes=ops.cast(ops.argmax(scores, -1), "int32")[:, None],
            num=ops.ones_like(ops.argmax(scores, -1), dtype="int32"),
        )


class Memory(keras.callbacks.Callback):
    """Notes the resident memory every `every` steps."""

    def __init__(self, every):
        super().__init__()
        self.every, self.steps, self.found = every, 0, []

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps % self.every == 0:
            pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
            self.found.append((self.steps, pages * _PAGE / 1e6))


def main():
    keep_freed_memory()  # As the command line does.
    folder, num_steps = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    module.build_detector = lambda config, seed: DetectingDetector(2, seed)
    every = num_steps // 10
    memory = Memory(num_steps // 40)
    odapi.train(
        train_config(
            "ssd",
            SIZE,
            f"options.evaluation.every_n_steps={every}",
            f"options.checkpoints.every_n_steps={every}",
        ),
        folder / "run",
        train_data=tiny_data.write_coco(folder / "data"),
        eval_data=tiny_data.write_coco(folder / "eval"),
        num_steps=num_steps,
        callbacks=[memory],
    )
    # The first quarter warms up: pools, caches, and functions for an evaluation.
    steps, sizes = np.array([row for row in memory.found if row[0] > num_steps / 4]).T
    slope = float(np.polyfit(steps / 1000, sizes, 1)[0])
    evaluations = (folder / "run" / "metrics.jsonl").read_text().count("\n")
    print(
        json.dumps(
            {"slope": slope, "evaluations": evaluations, "measured": memory.found}
        )
    )


if __name__ == "__main__":
    main()
