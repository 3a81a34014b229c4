"""Parts of an SSD detector that must fit each other."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error
from odapi.config.readers import all_readers
from odapi.config.rules.anchors import anchors_per_location, find_mismatch
from odapi.config.rules.postprocess import find_calibration, find_converter, find_limits
from odapi.wording import counted

_PATH = "model.ssd"
# Losses in which all anchors of an image are weighted together.
_WEIGH_ALL = ("weighted_sigmoid_focal", "weighted_dice_classification_loss")


def find(config: Any) -> Iterator[Finding]:
    """Yields parts of an SSD that contradict each other."""
    if config.model.WhichOneof("model") != "ssd":
        return
    ssd = config.model.ssd
    yield from find_mismatch(ssd)
    yield from _find_code_size(ssd)
    yield from _find_shared_anchors(ssd)
    yield from _find_loss(ssd)
    path, first = f"{_PATH}.post_processing", 0 if ssd.add_background_class else 1
    yield from find_limits(ssd.post_processing, path, ssd.num_classes)
    yield from find_calibration(ssd.post_processing, path, ssd.num_classes, first)


def about_matcher(path: str, matcher: Any) -> Iterator[Finding]:
    """Yields thresholds of an `ArgMaxMatcher` that contradict its options."""
    if not matcher.ignore_thresholds:
        low, high = matcher.unmatched_threshold, matcher.matched_threshold
        if not matcher.negatives_lower_than_unmatched and low == high:
            yield error(
                f"{path}.negatives_lower_than_unmatched",
                "is false: negatives lie between the thresholds, but both are "
                f"{low:.7g}",
            )
        return
    for name in ("matched_threshold", "unmatched_threshold"):
        if matcher.HasField(name):
            yield error(
                f"{path}.{name}",
                "is set, but ignore_thresholds is true",
                "remove one of the two",
            )


def about_predictor(path: str, predictor: Any) -> Iterator[Finding]:
    """Yields options of a convolutional box predictor that exclude each other."""
    if predictor.use_depthwise and predictor.kernel_size == 1:
        yield error(
            f"{path}.kernel_size", "is 1, but use_depthwise needs a larger kernel"
        )


def about_shared_predictor(path: str, predictor: Any) -> Iterator[Finding]:
    """Yields options of a `WeightSharedConvolutionalBoxPredictor` that contradict."""
    yield from about_predictor(path, predictor)
    if predictor.depth < 1 and predictor.num_layers_before_predictor > 0:
        yield error(f"{path}.depth", f"is {predictor.depth}; allowed is 1 or more")


def _find_code_size(ssd: Any) -> Iterator[Finding]:
    coder = ssd.box_coder.WhichOneof("box_coder_oneof")
    kind = ssd.box_predictor.WhichOneof("box_predictor_oneof")
    predictor: Any = getattr(ssd.box_predictor, kind or "", None)
    if coder is None or not hasattr(predictor, "box_code_size"):
        return
    size = {"square_box_coder": 3}.get(coder, 4)
    if coder == "keypoint_box_coder":
        size += 2 * ssd.box_coder.keypoint_box_coder.num_keypoints
    if predictor.box_code_size != size:
        yield error(
            f"{_PATH}.box_predictor.{kind}.box_code_size",
            f"is {predictor.box_code_size}, but codes of {coder} have "
            f"{counted(size, 'number')}",
        )


def find_keypoints(config: Any) -> Iterator[Finding]:
    """Yields readers whose keypoints the box coder of an SSD cannot encode."""
    if config.model.WhichOneof("model") != "ssd":
        return
    coder = config.model.ssd.box_coder
    encoded = 0
    if coder.WhichOneof("box_coder_oneof") == "keypoint_box_coder":
        encoded = coder.keypoint_box_coder.num_keypoints
    for path, reader in all_readers(config):
        if reader.num_keypoints and not encoded:
            yield error(
                f"{path}.num_keypoints",
                "SSD supports keypoints only with keypoint_box_coder",
                "remove num_keypoints",
            )
        elif reader.num_keypoints != encoded and path == "train_input_reader":
            yield error(
                f"{path}.num_keypoints",
                f"is {reader.num_keypoints}, but codes of keypoint_box_coder have "
                f"{counted(encoded, 'keypoint')}",
            )


def _find_shared_anchors(ssd: Any) -> Iterator[Finding]:
    """Yields a shared predictor of levels with different numbers of anchors."""
    kind = "weight_shared_convolutional_box_predictor"
    counts = anchors_per_location(ssd.anchor_generator)
    if ssd.box_predictor.HasField(kind) and len(set(counts)) > 1:
        yield error(
            f"{_PATH}.box_predictor.{kind}",
            "is shared by all levels, which must then have the same number of anchors "
            f"per location, got {counts}",
            "see reduce_boxes_in_lowest_layer",
        )


def _find_loss(ssd: Any) -> Iterator[Finding]:
    kind = ssd.loss.classification_loss.WhichOneof("classification_loss")
    if kind is None:
        return
    if kind in _WEIGH_ALL and ssd.loss.HasField("hard_example_miner"):
        yield error(
            f"{_PATH}.loss.hard_example_miner",
            f"cannot be used with {kind}, which weighs all anchors together",
            "remove one of the two",
        )
    yield from find_converter(ssd.post_processing, f"{_PATH}.post_processing", kind)
