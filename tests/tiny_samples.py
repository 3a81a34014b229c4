"""Samples in memory, and configs of small trainings on them."""

import numpy as np

from odapi.config.load import load_config
from small_models import small_config

CLASSES = ["dark", "bright"]

_TRAIN = """
train_config {
  batch_size: 2
  num_steps: 2
  optimizer {
    momentum_optimizer {
      learning_rate { constant_learning_rate { learning_rate: 0.01 } }
    }
    use_moving_average: false
  }
  data_augmentation_options { random_horizontal_flip { } }
}
eval_config { num_visualizations: 1 }
[odapi.options] { seed: 3 data_loading { threads: 1 } }
"""


def make_samples(number=4, size=64):
    """Returns samples with one square each, bright or dark."""
    samples = []
    for index in range(number):
        image = np.full((size, size, 3), 128, np.uint8)
        top, left = 4 + index, 8
        half = size // 2
        image[top : top + half, left : left + half] = 255 * (index % 2)
        box = np.array([[top, left, top + half, left + half]], np.float32) / size
        samples.append({"image": image, "boxes": box, "classes": [index % 2]})
    return samples


def train_config(family="ssd", *overrides):
    """Returns the config of a training of a small detector for two steps."""
    config = small_config(family)
    config.MergeFrom(load_config(_TRAIN))
    return load_config(config, overrides)
