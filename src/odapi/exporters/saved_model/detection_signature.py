"""The signature of a SavedModel that finds objects, whatever its inputs are called.

SavedModels of the original's exporters call the image `input_tensor` (TF2) or `inputs`
(TF1); those of other tools have other names.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from odapi.errors import CheckpointError

SERVING = "serving_default"
BOXES = "boxes"  # Second input of DeepMAC.
REQUIRED = ("detection_boxes", "detection_scores", "detection_classes")

_PREFERRED = (SERVING, "image_tensor", "float_image_tensor")
_USUAL_NAMES = ("input_tensor", "inputs", "image_tensor")
_NOT_CHANNELS = (0, 2)
_MAX_SIGNATURES = 4  # In a message.
_NEEDED = (
    "needed are one image as input, uint8 or float32 [batch, height, width, 3] or "
    f"string [batch], and the outputs {', '.join(REQUIRED)}"
)


@dataclasses.dataclass(frozen=True)
class ImageInput:
    """The input of a signature that takes images.

    Args:
        signature: Name of the signature.
        name: Name of the input.
        spec: Its `tf.TensorSpec`: `[b, h, w, c]`, or strings `[b]`.
    """

    signature: str
    name: str
    spec: Any

    @property
    def title(self) -> str:
        """Type and shape in messages, such as "uint8 [?, ?, ?, 3]"."""
        return _tensor(self.spec)

    @property
    def is_encoded(self) -> bool:
        """True if it takes image files or tf.Examples."""
        return self.spec.dtype.name == "string"

    @property
    def takes_examples(self) -> bool:
        """True if it takes serialized tf.Examples, according to its names."""
        return "example" in f"{self.signature} {self.name}".lower()

    @property
    def batch_size(self) -> int | None:
        """Images per call; None: any number."""
        return self.spec.shape[0] if self.spec.shape.rank else None

    @property
    def size(self) -> tuple[int, int] | None:
        """Fixed (height, width); None: any size."""
        shape = self.spec.shape
        if shape.rank != 4 or None in (shape[1], shape[2]):
            return None
        return int(shape[1]), int(shape[2])

    @property
    def num_channels(self) -> int:
        """Channels of the images: more than 3 if there are additional ones."""
        known = self.spec.shape.rank == 4 and self.spec.shape[3]
        return max(known or 3, 3)

    @property
    def is_gray(self) -> bool:
        """True if images have one channel."""
        return self.spec.shape.rank == 4 and self.spec.shape[3] == 1


def input_specs(function: Any) -> dict[str, Any]:
    """Returns the `tf.TensorSpec` of each input of a signature by name."""
    return dict(function.structured_input_signature[1])


def image_input(name: str, function: Any) -> ImageInput | None:
    """Returns the image input of a signature; None if it has none, or several."""
    found = {k: v for k, v in input_specs(function).items() if _takes_images(v)}
    for usual in _USUAL_NAMES:
        if usual in found:
            return ImageInput(name, usual, found[usual])
    if len(found) != 1:
        return None
    ((key, spec),) = found.items()
    return ImageInput(name, key, spec)


def find_detection_signature(
    place: str, signatures: Mapping[str, Any], optional: Sequence[str] = ()
) -> ImageInput:
    """Returns the signature to predict with: decoded images before encoded ones.

    Args:
        place: Path of the SavedModel.
        signatures: Concrete functions by name.
        optional: Inputs besides the image that may be left out.

    Raises:
        CheckpointError: No signature takes images and returns detections; with the
            inputs and outputs of those there are.
    """
    order = [n for n in _PREFERRED if n in signatures]
    order += sorted(n for n in signatures if n not in _PREFERRED)
    inputs = [
        image_input(name, signatures[name])
        for name in order
        if all(key in signatures[name].structured_outputs for key in REQUIRED)
    ]
    usable = [
        found
        for found in inputs
        if found
        and input_specs(signatures[found.signature]).keys() <= {found.name, *optional}
    ]
    usable.sort(key=lambda found: (found.is_encoded, found.takes_examples))
    if usable:
        return usable[0]
    raise CheckpointError(place, _problem(order, signatures), hint=_NEEDED)


def _takes_images(spec: Any) -> bool:
    dtype, shape = spec.dtype, spec.shape
    if dtype.name == "string":
        return shape.rank in (None, 1)
    if not (dtype.is_floating or dtype.is_integer):
        return False
    return shape.rank is None or (shape.rank == 4 and shape[3] not in _NOT_CHANNELS)


def _problem(order: list[str], signatures: Mapping[str, Any]) -> str:
    if not order:
        return "has no signature, so its inputs and outputs are not known"
    shown = [_described(name, signatures[name]) for name in order[:_MAX_SIGNATURES]]
    more = len(order) - len(shown)
    if more:
        shown.append(f"and {more} more")
    return f"has no signature that finds objects in images; it has {'; '.join(shown)}"


def _described(name: str, function: Any) -> str:
    """Returns a signature as `name(images: uint8 [?, ?, ?, 3]) -> scores [?, 10]`."""
    inputs, outputs = (
        ", ".join(f"{name}: {_tensor(spec)}" for name, spec in sorted(specs.items()))
        for specs in (input_specs(function), function.structured_outputs)
    )
    return f"{name}({inputs}) -> {outputs or 'nothing'}"


def _tensor(spec: Any) -> str:
    if spec.shape.rank is None:
        return f"{spec.dtype.name} of any shape"
    sides = ("?" if side is None else str(side) for side in spec.shape)
    return f"{spec.dtype.name} [{', '.join(sides)}]"
