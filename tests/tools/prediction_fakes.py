"""Predictors of the tests of large predictions, found by name in other processes."""

import os
import pathlib
import time

import numpy as np

from odapi.data.tfrecord.records import read_record, scan_records
from odapi.labels import label_map_of
from odapi.tools import records

LABEL_MAP = label_map_of(["dark", "bright"])
FAILS_AT = 200  # Mean gray value of the images at which `load_failing` may raise.


class Bright:
    """One object per image, whose score is the mean brightness."""

    label_map = LABEL_MAP

    def __init__(self, fails_if=None):
        self.fails_if = fails_if
        self.calls = []

    def __call__(self, images):
        means = [float(image.mean()) for image in images]
        self.calls.append(len(images))
        if self.fails_if and self.fails_if.exists():
            if any(abs(mean - FAILS_AT) < 1 for mean in means):
                raise RuntimeError("out of memory")
        return [
            {
                "boxes": np.array([[0.1, 0.2, 0.5, 0.75]], "float32"),
                "classes": np.array([int(mean > 127)]),
                "scores": np.array([mean / 255], "float32"),
            }
            for mean in means
        ]


LOADED = []


def read_examples(path):
    """Returns the tf.Examples of a file, which need not have an image."""
    found = scan_records(path)
    pairs = zip(found.offsets.tolist(), found.lengths.tolist(), strict=True)
    return [records.parse(read_record(path, *pair)) for pair in pairs]


def load_bright(model, overrides=(), label_map=None):
    LOADED.append(model)
    return Bright()


def load_failing(model, overrides=(), label_map=None):
    """The predictor raises for one image as long as the file `model` exists."""
    return Bright(fails_if=pathlib.Path(model))


def load_logged(model, overrides=(), label_map=None):
    """Appends the process to the file `model`, and takes 0.1 s per call."""
    with open(model, "a") as file:
        file.write(f"{os.getpid()}\n")
    return _Slow()


class _Slow(Bright):
    def __call__(self, images):
        time.sleep(0.1)
        return super().__call__(images)
