"""The length of a training in epochs."""

import numpy as np
import pytest

from odapi.config.load import load_config
from odapi.errors import ConfigError
from odapi.training.epochs import steps_of
from odapi.training.given_data import GivenData
from tiny_data import write_coco


def _config(batch_size):
    return load_config(f"train_config {{ batch_size: {batch_size} }}")


def _samples(number):
    box = np.array([[0.1, 0.1, 0.5, 0.5]], "float32")
    sample = {
        "image": np.zeros((8, 8, 3), "uint8"),
        "boxes": box,
        "classes": np.zeros(1, "int32"),
    }
    return GivenData([sample] * number, None, ["cat"])


@pytest.mark.parametrize(
    ("epochs", "images", "batch", "steps", "line"),
    [
        (3, 10, 4, 8, "3 epochs of 10 images in batches of 4: "),
        (1, 8, 4, 2, "1 epoch of 8 images in batches of 4: "),
        (0.5, 9, 3, 2, "0.5 epochs of 9 images in batches of 3: "),
        (1, 1, 8, 1, "1 epoch of 1 image in batches of 8: "),
        (
            0.1,
            30,
            3,
            1,
            "0.1 epochs of 30 images in batches of 3: ",
        ),  # Not 2 by rounding.
    ],
)
def test_steps(epochs, images, batch, steps, line, capsys):
    assert steps_of(epochs, None, _config(batch), _samples(images)) == steps
    assert capsys.readouterr().err == f"{line}train_config.num_steps is {steps}\n"


def test_images_of_a_dataset_on_disk_are_counted(tmp_path):
    config = load_config(_config(1), [f"options.train_data={write_coco(tmp_path)}"])
    assert steps_of(2, None, config, GivenData()) == 6


@pytest.mark.parametrize(
    ("epochs", "num_steps", "message"),
    [
        (2, 10, "epochs: is given beside num_steps; give one of the two"),
        (0, None, "epochs: must be a number above 0, got 0"),
        (float("nan"), None, "epochs: must be a number above 0, got nan"),
        (float("inf"), None, "epochs: must be a number above 0, got inf"),
    ],
)
def test_other_lengths_are_refused(epochs, num_steps, message):
    with pytest.raises(ConfigError) as raised:
        steps_of(epochs, num_steps, _config(4), _samples(1))
    assert str(raised.value) == message
