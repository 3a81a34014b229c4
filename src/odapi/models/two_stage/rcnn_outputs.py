"""Packs and unpacks the output dict of two-stage detectors."""

from collections.abc import Mapping, Sequence

from keras import ops

from odapi.geometry.map_size import MapSize, map_size
from odapi.heads.rpn_head import RPN_BOXES, RPN_CLASSES
from odapi.models.detector import Inputs
from odapi.models.preprocess import clip_window
from odapi.models.two_stage.proposals import Proposals
from odapi.models.two_stage.rois import flatten_rois
from odapi.structures import Tensor

# Predictions and features of the second stage, by the original's names.
BOXES, CLASSES = "refined_box_encodings", "class_predictions_with_background"
FEATURES = "box_classifier_features"
_MAP, _PROPOSAL = "feature_maps", "proposal"


def pack_outputs(maps: Sequence[Tensor], proposals: Proposals) -> dict[str, Tensor]:
    """Returns feature maps and proposals as entries of the output dict."""
    named = {f"{_MAP}/{n}": level for n, level in enumerate(maps)}
    fields = proposals._asdict().items()
    return named | {f"{_PROPOSAL}_{name}": value for name, value in fields}


def unpack_outputs(outputs: Mapping[str, Tensor]) -> tuple[list[Tensor], Proposals]:
    """Returns the feature maps and proposals in an output dict."""
    number = sum(name.startswith(f"{_MAP}/") for name in outputs)
    maps = [outputs[f"{_MAP}/{n}"] for n in range(number)]
    return maps, Proposals(*(outputs[f"{_PROPOSAL}_{n}"] for n in Proposals._fields))


def export_internals(
    outputs: Mapping[str, Tensor], anchors: Tensor, size: MapSize
) -> dict[str, Tensor]:
    """Returns the internal tensors of the original's exported three-stage models.

    Args:
        outputs: Output dict of a detector with a second stage.
        anchors: `[anchors, 4]`, normalized.
        size: Height and width of the images, for boxes in pixels.
    """
    _, proposals = unpack_outputs(outputs)
    sides = [ops.cast(side, "float32") for side in (*size, *size)]
    pixels = ops.stack(sides)
    return {
        RPN_BOXES: outputs[RPN_BOXES],
        RPN_CLASSES: outputs[RPN_CLASSES],
        "anchors": anchors * pixels,
        "image_shape": ops.convert_to_tensor(
            [ops.shape(proposals.boxes)[0], *size, 3], dtype="int32"
        ),
        "num_proposals": proposals.num,
        "proposal_boxes": proposals.boxes * pixels,
        "proposal_boxes_normalized": proposals.boxes,
        "final_anchors": proposals.boxes,
        **{name: flatten_rois(outputs[name]) for name in (BOXES, CLASSES, FEATURES)},
    }


def image_size(inputs: Inputs) -> MapSize:
    """Returns height and width of the images with padding."""
    return map_size(inputs["images"])


def window_of(inputs: Inputs) -> Tensor:
    """Returns the image without padding `[b, 4]`, normalized to the padded image."""
    batch = ops.shape(inputs["images"])[0]
    return clip_window(inputs.get("true_size"), image_size(inputs), batch)
