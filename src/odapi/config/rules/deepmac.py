"""Mask heads of DeepMAC: networks, and losses that exclude each other."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

from odapi.config import schema
from odapi.config.findings import Finding, error
from odapi.errors import did_you_mean

_PROJECTION, _CONDITIONAL = "embedding_projection", "cond_inst"
NETWORKS = (
    "hourglass10", "hourglass20", "hourglass32", "hourglass52", "hourglass100",
    "hourglass20_uniform_size", "hourglass20_no_shortcut", "resnet4", "resnet8",
    "resnet12", "resnet16", "resnet20", "fully_connected", _PROJECTION,
)  # fmt: skip


def about_deepmac(path: str, task: Any) -> Iterator[Finding]:
    """Yields options of a `DeepMACMaskEstimation` that exclude each other."""
    if task.mask_num_subsamples == 0 or task.mask_num_subsamples < -1:
        yield error(
            f"{path}.mask_num_subsamples",
            f"must be 1 or more, or -1 for all objects, got {task.mask_num_subsamples}",
        )
    yield from _about_network(path, task)
    yield from _about_losses(path, task)


def _about_network(path: str, task: Any) -> Iterator[Finding]:
    kind, place = task.network_type, f"{path}.network_type"
    conditional = re.fullmatch(rf"{_CONDITIONAL}(\d+)", kind)
    if kind not in NETWORKS and not conditional:
        known = ", ".join((*NETWORKS, f"{_CONDITIONAL}N"))
        yield error(
            place,
            f"unknown network {kind!r}; known are {known}",
            did_you_mean(kind, NETWORKS),
        )
        return
    if kind != _PROJECTION and not conditional:
        return
    if task.use_instance_embedding:
        yield error(
            f"{path}.use_instance_embedding",
            f"must be false for {kind}, whose weights are the embedding of the object",
        )
    pixels = task.pixel_embedding_dim + (2 if task.use_xy else 0)
    if kind == _PROJECTION and pixels != task.dim:
        yield error(
            f"{path}.dim",
            f"is {task.dim}, but a crop has {pixels} channels",
            f"{_PROJECTION} needs equal dim and pixel_embedding_dim, and use_xy: false",
        )
    if conditional:
        yield from _about_conditional(path, task, int(conditional[1]), pixels)


def _about_conditional(
    path: str, task: Any, depth: int, pixels: int
) -> Iterator[Finding]:
    channels = task.num_init_channels
    if not 1 <= depth <= 64:
        yield error(f"{path}.network_type", "must have 1 to 64 convolutions")
        return
    if depth == 1 and channels != pixels:
        yield error(
            f"{path}.num_init_channels",
            f"is {channels}, but one convolution of {pixels} inputs has {pixels}",
        )
        return
    sizes = [pixels, *[channels] * (depth - 1), 1]
    weights = sum((before + 1) * after for before, after in itertools.pairwise(sizes))
    if weights != task.dim:
        yield error(
            f"{path}.dim",
            f"is {task.dim}, but {task.network_type} has {weights} weights on {pixels} "
            "channels",
        )


def _about_losses(path: str, task: Any) -> Iterator[Finding]:
    whole = task.predict_full_resolution_masks
    if whole and task.max_roi_jitter_ratio > 0:
        yield error(
            f"{path}.max_roi_jitter_ratio",
            "has no effect with predict_full_resolution_masks: no boxes are cropped",
            "remove it",
        )
    for name in (
        "feature_consistency_loss_weight",
        "pointly_supervised_keypoint_loss_weight",
    ):
        weight = getattr(task, name)
        # A negative weight of the first one turns its loss off.
        is_on = weight > 0 if name.startswith("feature") else weight != 0
        if is_on and not whole:
            yield error(
                f"{path}.{name}",
                "needs predict_full_resolution_masks: true, as in the original",
            )
    kind = task.classification_loss.WhichOneof("classification_loss")
    normalize = schema.enum_name(task, "box_consistency_loss_normalize")
    if (
        task.box_consistency_loss_weight > 0
        and normalize == "NORMALIZE_BALANCED"
        and kind == "weighted_dice_classification_loss"
    ):
        yield error(
            f"{path}.box_consistency_loss_normalize",
            f"{normalize} needs a loss per pixel, which {kind} does not give",
        )
