"""Augmentations of odapi's own options: order, ends and paths of errors."""

import numpy as np
import pytest

from odapi.build.dataset_checks import check_keypoints
from odapi.build.loading import build_loading
from odapi.build.train_augmentations import build_train_augmentations, by_path
from odapi.config import check
from odapi.config.load import load_config
from odapi.data.augment.chain import Closing
from odapi.data.augment.color import AdjustBrightness
from odapi.data.augment.copy_paste import CopyPaste
from odapi.data.augment.degrade import RandomBlur
from odapi.data.augment.flip import HorizontalFlip, VerticalFlip
from odapi.data.augment.mixup import MixUp
from odapi.data.augment.mosaic import Mosaic
from odapi.data.augment.noise import RandomNoise
from odapi.data.augment.patches import RandomErasing
from odapi.data.augment.perspective import RandomPerspective
from odapi.data.image.resize import FixedShape
from odapi.data.loader.load import Load, LoadBatch
from odapi.data.loader.order import Order
from odapi.data.problems import Problems
from odapi.errors import ConfigError, DataError

TEXT = """
model {{ ssd {{ image_resizer {{ fixed_shape_resizer {{ height: 8 width: 8 }} }} }} }}
train_config {{
  batch_size: 3 num_steps: {steps}
  data_augmentation_options {{ random_vertical_flip {{}} }}
}}
[odapi.options] {{ {augmentations} }}
"""
FLIP = "augmentations { step { random_horizontal_flip { } } %s }"
BRIGHTNESS = "augmentations { step { random_adjust_brightness { } } }"


def config_of(augmentations, steps=10):
    return load_config(TEXT.format(steps=steps, augmentations=augmentations))


def test_own_augmentations_come_in_their_order_before_the_steps():
    built = build_train_augmentations(config_of(BRIGHTNESS + FLIP % ""))
    assert built == (AdjustBrightness(0.2), HorizontalFlip(), VerticalFlip())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("random_mosaic { }", Mosaic(1.0, 0.5, 1.5, 0.3)),
        (
            "random_mosaic { probability: 0.9 min_scale: 0.1 max_scale: 2 "
            "overlap_thresh: 0 }",
            Mosaic(0.9, 0.1, 2.0, 0.0),
        ),
        ("random_mixup { }", MixUp(0.15, 32.0)),
        ("random_mixup { probability: 1 alpha: 1.5 }", MixUp(1.0, 1.5)),
        ("random_copy_paste { }", CopyPaste(0.5, 30, 0.3)),
        (
            "random_copy_paste { probability: 1 max_objects: 3 overlap_thresh: 0.1 }",
            CopyPaste(1.0, 3, 0.1),
        ),
        ("random_erasing {}", RandomErasing(0.5, (0.02, 0.2), 1)),
        ("random_blur {}", RandomBlur(0.1, 7, 0.0)),
        ("random_noise {}", RandomNoise(0.1, 0.05)),
        (
            "random_perspective {}",
            RandomPerspective(1.0, 0.0, 0.0, (0.5, 1.5), 0.1, 0.0, 0.3),
        ),
        (
            "random_perspective { max_rotation: 5 max_shear: 2 max_scale: 2 "
            "max_perspective: 0.5 }",
            RandomPerspective(1.0, 5.0, 2.0, (0.5, 2.0), 0.1, 0.5, 0.3),
        ),
    ],
)
def test_a_message_becomes_its_augmentation(text, expected):
    config = config_of(f"augmentations {{ {text} }}")
    assert build_train_augmentations(config)[0] == expected


@pytest.mark.parametrize(
    ("batch_size", "end"),
    # 4 of 10 steps are without it: it ends after 6 batches.
    [(None, 18), (2, 12)],
)
def test_close_after_is_a_position_of_the_order(batch_size, end):
    config = config_of(FLIP % "close_after: 4")
    assert build_train_augmentations(config, batch_size) == (
        Closing(HorizontalFlip(), end),
        VerticalFlip(),
    )


BAD = [
    ("augmentations { }", r"augmentations\[0\]: is empty"),
    (
        BRIGHTNESS + "augmentations { step { } }",
        r"options\.augmentations\[1\]\.step: is empty",
    ),
    (
        BRIGHTNESS + "augmentations { step { random_horizontal_flip { "
        "probability: 2 } } }",
        r"options\.augmentations\[1\]\.step\.random_horizontal_flip\.probability: is 2",
    ),
    (
        "augmentations { random_mosaic { min_scale: 2 } }",
        r"\[0\]\.random_mosaic: min_scale 2 is above max_scale 1\.5",
    ),
    (
        "augmentations { random_mixup { alpha: 0 } }",
        r"random_mixup\.alpha: is 0; allowed is above 0",
    ),
    (
        "augmentations { random_copy_paste { max_objects: 0 } }",
        r"random_copy_paste\.max_objects: is 0; allowed is 1 or more",
    ),
    (
        "augmentations { step { normalize_image { original_minval: 0 "
        "original_maxval: 255 } } } augmentations { random_mosaic { } }",
        r"\[1\]\.random_mosaic: comes after normalize_image",
    ),
    (FLIP % "close_after: 10", r"\[0\]\.close_after: is 10 of 10 steps"),
    (FLIP % "close_after: 11", r"\[0\]\.close_after: is 11 of 10 steps"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_an_augmentation_that_cannot_be_built_is_named(text, message):
    config = config_of(text)
    with pytest.raises(ConfigError, match=message):
        build_loading(config, training=True)
    with pytest.raises(ConfigError, match=message):
        check.check(config)


def test_close_after_needs_the_number_of_steps():
    config = config_of(FLIP % "close_after: 1", steps=0)
    with pytest.raises(ConfigError, match="num_steps is not set"):
        build_loading(config, training=True)


def test_the_last_augmented_step_is_allowed():
    assert build_loading(config_of(FLIP % "close_after: 9"), training=True)


def test_a_flip_in_options_must_know_the_keypoints():
    config = config_of(BRIGHTNESS + FLIP % "close_after: 3")
    built = by_path(config, build_train_augmentations(config))
    assert list(built) == [
        "options.augmentations[0].step",
        "options.augmentations[1].step",
        "train_config.data_augmentation_options[0]",
    ]
    with pytest.raises(ConfigError, match="objects have 2 keypoints") as error:
        check_keypoints(built, 2)
    assert error.value.place == (
        "options.augmentations[1].step.random_horizontal_flip.keypoint_flip_permutation"
    )


class Numbers:
    """Image i has the color i; image 0 is corrupt."""

    name = "numbers"

    def __init__(self):
        self.problems = Problems()

    def __len__(self):
        return 4

    def __getitem__(self, index):
        if not index:
            raise DataError("image 0", "is corrupt")
        boxes = np.zeros((0, 4), "float32")
        image = np.full((4, 4, 3), index, "uint8")
        return {"image": image, "image_id": str(index), "boxes": boxes, "classes": []}


def plus_100(sample, rng):
    return sample | {"image": sample["image"] + np.uint8(100)}


def collate(samples):
    return [int(sample["image"][0, 0, 0]) for sample in samples]


def test_an_augmentation_ends_at_its_position_also_in_substitutes():
    source = Numbers()
    load = Load(source, Order(shuffle=False), (Closing(plus_100, 6),), FixedShape(4, 4))
    colors = [int(load(p)["image"][0, 0, 0]) for p in (1, 2, 3, 5, 6, 7)]
    assert colors == [101, 102, 103, 101, 2, 3]
    collate.batch_size, collate.problems = 3, source.problems
    batches = [LoadBatch(load, collate)(number) for number in range(4)]
    assert [[color > 100 for color in batch] for batch in batches] == [
        [True] * 3, [True] * 3, [False] * 3, [False] * 3
    ]  # fmt: skip
