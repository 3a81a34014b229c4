"""Input types of exported models, named as in the TF Object Detection API."""

from odapi.errors import unknown_choice

ENCODED = "encoded_image_string_tensor"
EXAMPLE = "tf_example"
# Supported by every model.
INPUT_TYPES = ("image_tensor", "float_image_tensor", ENCODED, EXAMPLE)
# Has a second input `boxes`; of models that predict masks for given boxes.
BOXES = "image_and_boxes_tensor"


def check_input_type(input_type: str) -> None:
    """Raises ConfigError if there is no such input type."""
    known = (*INPUT_TYPES, BOXES)
    if input_type not in known:
        raise unknown_choice("input_type", input_type, known)
