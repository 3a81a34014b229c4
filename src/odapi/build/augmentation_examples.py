"""One example of each augmentation of the config language, with a visible effect."""

from typing import Any

from google.protobuf import text_format

from odapi.build.augment import STEPS
from odapi.build.train_augmentations import AUGMENTATIONS
from odapi.config.protos import augmentation_pb2

# Fields of those whose defaults change nothing, little, or are not allowed.
_FIELDS = {
    "normalize_image": "original_minval: 0 original_maxval: 255 target_minval: -1 "
    "target_maxval: 1",
    "random_resize_method": "target_height: 240 target_width: 320",
    "resize_image": "new_height: 240 new_width: 320",
    "subtract_channel_mean": "means: [123.68, 116.779, 103.939]",
    "drop_label_probabilistically": "label: 1 drop_probability: 0.5",
    "remap_labels": "original_labels: 1 new_label: 2",
    "random_absolute_pad_image": "max_height_padding: 100 max_width_padding: 100",
    "random_scale_crop_and_pad_to_square": "scale_min: 0.5 scale_max: 2.0",
    "adjust_gamma": "gamma: 2.0",
    "random_adjust_hue": "max_delta: 0.1",
    "random_pixel_value_scale": "minval: 0.7 maxval: 1.3",
    "random_self_concat_image": "concat_vertical_probability: 0.5 "
    "concat_horizontal_probability: 0.5",
    "random_perspective": "max_rotation: 15 max_shear: 10 max_perspective: 0.1",
}


def example_of() -> dict[str, Any]:
    """Returns an `Augmentation` message by the name of each supported augmentation."""
    return {name: _message(name) for name in [*STEPS, *AUGMENTATIONS] if name != "step"}


def _message(name: str) -> Any:
    text = f"{name} {{ {_FIELDS.get(name, '')} }}"
    if name in STEPS:
        text = f"step {{ {text} }}"
    return text_format.Parse(text, augmentation_pb2.Augmentation())
