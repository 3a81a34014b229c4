"""Input types of exported models, named as in the TF Object Detection API."""

from odapi.errors import unknown_choice

ENCODED = "encoded_image_string_tensor"
EXAMPLE = "tf_example"
# Supported by every model.
INPUT_TYPES = ("image_tensor", "float_image_tensor", ENCODED, EXAMPLE)
# Has a second input `boxes`; of models that predict masks for given boxes.
BOXES = "image_and_boxes_tensor"


# Of these, the ones whose images may have additional channels.
PIXELS = ("image_tensor", "float_image_tensor")


def input_types(channels: int) -> tuple[str, ...]:
    """Returns the input types of a model whose images have so many channels."""
    return INPUT_TYPES if channels == 3 else PIXELS


def check_input_type(input_type: str) -> None:
    """Raises ConfigError if there is no such input type."""
    known = (*INPUT_TYPES, BOXES)
    if input_type not in known:
        raise unknown_choice("input_type", input_type, known)
