"""Parts of a model that have to fit each other."""

from collections.abc import Callable, Iterator
from typing import Any

from odapi.config import schema
from odapi.config.check_postprocess import (
    check_calibration,
    check_classification_loss,
    check_converter,
    check_suppression,
)
from odapi.config.findings import Finding, error, warning

# Parts that a model cannot be built without, by message.
_REQUIRED = {
    "Ssd": (
        "image_resizer", "feature_extractor", "box_coder", "matcher",
        "similarity_calculator", "box_predictor", "anchor_generator",
        "post_processing", "loss",
    ),
    "FasterRcnn": (
        "image_resizer", "feature_extractor", "first_stage_anchor_generator",
        "first_stage_box_predictor_conv_hyperparams",
    ),
    "CenterNet": ("image_resizer", "feature_extractor", "object_center_params"),
    "CenterNet.ObjectDetection": ("localization_loss",),
    "CenterNet.ObjectCenterParams": ("classification_loss",),
    "Loss": ("localization_loss", "classification_loss"),
    "TrainConfig": ("optimizer",),
    "RMSPropOptimizer": ("learning_rate",),
    "MomentumOptimizer": ("learning_rate",),
    "AdamOptimizer": ("learning_rate",),
    "FunctionApproximation": ("x_y_pairs",),
}  # fmt: skip
# Messages whose oneof must have a member.
_NOT_EMPTY = frozenset(
    {
        "DetectionModel", "ImageResizer", "BoxCoder", "Matcher",
        "RegionSimilarityCalculator", "BoxPredictor", "AnchorGenerator",
        "LocalizationLoss", "ClassificationLoss", "Optimizer", "LearningRate",
        "PreprocessingStep", "CalibrationConfig",
    }
)  # fmt: skip
# Losses in which each anchor counts by itself already.
_WEIGH_ALL = ("weighted_sigmoid_focal", "weighted_dice_classification_loss")
# What the original refuses to change of an EfficientNet.
EFFICIENTNET_FIXED: dict[str, Any] = {
    "depth_multiplier": 1.0,
    "use_explicit_padding": False,
    "use_depthwise": False,
}


def find(config: Any) -> Iterator[Finding]:
    """Yields parts that are missing or contradict each other."""
    if not config.HasField("model"):
        yield error("model", "is missing", "write model { ssd { ... } }")
    for path, owner, field in schema.walk(config):
        if schema.is_message(field) and not schema.is_map(field):
            held = schema.value(owner, field)
            elements = held if field.is_repeated else [held]
            for index, message in enumerate(elements):
                here = f"{path}[{index}]" if field.is_repeated else path
                yield from _missing(here, message)
    if config.model.WhichOneof("model") == "ssd":
        yield from _check_ssd(config.model.ssd)
        yield from _check_keypoints(config)


def _missing(path: str, message: Any) -> Iterator[Finding]:
    name = schema.short(message.DESCRIPTOR)
    for part in _REQUIRED.get(name, ()):
        if not message.HasField(part):
            yield error(f"{path}.{part}", "is missing")
    for oneof in message.DESCRIPTOR.oneofs if name in _NOT_EMPTY else ():
        if message.WhichOneof(oneof.name) is None:
            members = ", ".join(f.name for f in oneof.fields)
            yield error(path, "is empty", f"set one of {members}")


def _check_ssd(ssd: Any) -> Iterator[Finding]:
    if ssd.num_classes < 1 and not ssd.HasField("num_classes"):
        yield error("model.ssd.num_classes", "is missing; it counts from 1")
    yield from _check_extractor(ssd.feature_extractor)
    yield from _check_anchors(ssd)
    yield from _check_code_size(ssd)
    yield from _check_matcher(ssd.matcher.argmax_matcher)
    yield from _check_loss(ssd)
    path, first = "model.ssd.post_processing", 0 if ssd.add_background_class else 1
    yield from check_suppression(ssd.post_processing, path, ssd.num_classes)
    yield from check_calibration(ssd.post_processing, path, ssd.num_classes, first)


def pyramid_of(extractor: Any) -> str:
    """Returns the field that says what pyramid an extractor has; "" if it has none."""
    return next((f for f in ("fpn", "bifpn") if f"_{f}_" in extractor.type), "")


def num_levels(extractor: Any) -> int:
    """Returns how many feature maps an extractor yields."""
    if field := pyramid_of(extractor):
        pyramid = getattr(extractor, field)
        return pyramid.max_level - pyramid.min_level + 1
    return extractor.num_layers


def _check_extractor(extractor: Any) -> Iterator[Finding]:
    path = "model.ssd.feature_extractor"
    if not extractor.type:
        yield error(f"{path}.type", "is missing", "such as 'ssd_mobilenet_v2_keras'")
    pyramid = pyramid_of(extractor)
    if extractor.HasField("fpn") and extractor.type and not pyramid:
        yield warning(f"{path}.fpn", f"has no effect: {extractor.type} has no pyramid")
    other = extractor.WhichOneof("feature_pyramid_oneof") or pyramid
    if extractor.type and other != pyramid and "bifpn" in (other, pyramid):
        hint = f"set {pyramid}" if pyramid else ""
        yield error(f"{path}.{other}", f"{extractor.type} has no such pyramid", hint)
    if extractor.HasField("num_layers") and pyramid and extractor.num_layers != 6:
        yield warning(
            f"{path}.num_layers",
            f"has no effect: the levels of {pyramid} give the number of feature maps",
        )
    if pyramid == "bifpn":
        yield from _check_efficientnet(path, extractor)
    for name in ("use_depthwise", "use_explicit_padding"):
        if extractor.type.startswith("ssd_resnet") and getattr(extractor, name):
            yield warning(
                f"{path}.{name}",
                f"has no effect: the original does not read it for {extractor.type}",
            )


def _check_efficientnet(path: str, extractor: Any) -> Iterator[Finding]:
    for name, only in EFFICIENTNET_FIXED.items():
        if getattr(extractor, name) != only:
            yield error(f"{path}.{name}", f"cannot be set for {extractor.type}")
    if extractor.HasField("min_depth"):
        yield warning(
            f"{path}.min_depth", f"has no effect: {extractor.type} has its own depths"
        )


def _check_anchors(ssd: Any) -> Iterator[Finding]:
    kind = ssd.anchor_generator.WhichOneof("anchor_generator_oneof")
    if kind is None:
        return
    generator = getattr(ssd.anchor_generator, kind)
    path = f"model.ssd.anchor_generator.{kind}"
    yield from _ANCHORS[kind](path, generator, ssd.feature_extractor)


def _check_ssd_anchors(path: str, generator: Any, extractor: Any) -> Iterator[Finding]:
    levels = num_levels(extractor)
    if generator.num_layers != levels:
        yield error(
            f"{path}.num_layers",
            f"is {generator.num_layers}, but the feature extractor has {levels} "
            "feature maps",
            "the two must be equal; see feature_extractor.num_layers or fpn",
        )
    for name in (
        "scales", "height_stride", "width_stride", "height_offset", "width_offset"
    ):  # fmt: skip
        given = len(getattr(generator, name))
        if given and given != generator.num_layers:
            yield error(
                f"{path}.{name}",
                f"has {given} values for {generator.num_layers} layers",
                "give one a layer, or none",
            )
    for name in ("stride", "offset"):
        rows, columns = (
            len(getattr(generator, f"{side}_{name}")) for side in ("height", "width")
        )
        if rows != columns:
            yield error(
                f"{path}.height_{name}",
                f"has {rows} values, width_{name} has {columns}",
                "give both, or neither",
            )
    if not generator.aspect_ratios:
        yield warning(
            f"{path}.aspect_ratios",
            "is empty: a layer has only its interpolated anchor",
            "usual are [1.0, 2.0, 0.5, 3.0, 0.3333]",
        )


def _check_multiscale(path: str, generator: Any, extractor: Any) -> Iterator[Finding]:
    if not generator.aspect_ratios:
        yield error(
            f"{path}.aspect_ratios", "is empty, which gives no anchors", "give [1.0]"
        )
    field = pyramid_of(extractor)
    if not field:
        levels = num_levels(extractor)
        anchors = generator.max_level - generator.min_level + 1
        if anchors != levels:
            yield error(
                path,
                f"has {anchors} levels, but the feature extractor has {levels} feature "
                "maps",
            )
        return
    for name in ("min_level", "max_level"):
        mine, theirs = (
            getattr(generator, name),
            getattr(getattr(extractor, field), name),
        )
        if mine != theirs:
            yield error(
                f"{path}.{name}",
                f"is {mine}, but feature_extractor.{field}.{name} is {theirs}",
                "anchors need the levels of the feature maps",
            )


def _check_grid(path: str, generator: Any, extractor: Any) -> Iterator[Finding]:
    levels = num_levels(extractor)
    if levels != 1:
        yield error(
            path,
            f"is for one feature map, but the feature extractor has {levels}",
            "use ssd_anchor_generator or multiscale_anchor_generator",
        )
    for name in ("scales", "aspect_ratios"):
        if not getattr(generator, name):
            yield error(f"{path}.{name}", "is empty, which gives no anchors")


def _check_flexible(path: str, generator: Any, extractor: Any) -> Iterator[Finding]:
    levels = num_levels(extractor)
    grids = len(generator.anchor_grid)
    if grids != levels:
        yield error(
            f"{path}.anchor_grid",
            f"has {grids} grids, but the feature extractor {levels} feature maps",
        )
    for index, grid in enumerate(generator.anchor_grid):
        for name in ("base_sizes", "aspect_ratios"):
            if not getattr(grid, name):
                yield error(f"{path}.anchor_grid[{index}].{name}", "is empty")


_ANCHORS: dict[str, Callable[[str, Any, Any], Iterator[Finding]]] = {
    "ssd_anchor_generator": _check_ssd_anchors,
    "multiscale_anchor_generator": _check_multiscale,
    "grid_anchor_generator": _check_grid,
    "flexible_grid_anchor_generator": _check_flexible,
}


def _check_code_size(ssd: Any) -> Iterator[Finding]:
    coder = ssd.box_coder.WhichOneof("box_coder_oneof")
    kind = ssd.box_predictor.WhichOneof("box_predictor_oneof")
    if coder is None or kind is None:
        return
    predictor: Any = getattr(ssd.box_predictor, kind)
    size = {"square_box_coder": 3}.get(coder, 4)
    if coder == "keypoint_box_coder":
        size += 2 * ssd.box_coder.keypoint_box_coder.num_keypoints
    if predictor.box_code_size != size:
        yield error(
            f"model.ssd.box_predictor.{kind}.box_code_size",
            f"is {predictor.box_code_size}, but codes of {coder} have {size} numbers",
        )


def _check_matcher(matcher: Any) -> Iterator[Finding]:
    if not matcher.ignore_thresholds:
        return
    for name in ("matched_threshold", "unmatched_threshold"):
        if matcher.HasField(name):
            yield error(
                f"model.ssd.matcher.argmax_matcher.{name}",
                "is set, but ignore_thresholds is true",
                "take one of the two out",
            )


def _check_keypoints(config: Any) -> Iterator[Finding]:
    """Keypoints of the data against those that box codes have room for."""
    coder = config.model.ssd.box_coder
    coded = 0
    if coder.WhichOneof("box_coder_oneof") == "keypoint_box_coder":
        coded = coder.keypoint_box_coder.num_keypoints
    readers = [("train_input_reader", config.train_input_reader)]
    readers += [
        (f"eval_input_reader[{i}]", r) for i, r in enumerate(config.eval_input_reader)
    ]
    for path, reader in readers:
        if reader.num_keypoints and not coded:
            yield error(
                f"{path}.num_keypoints",
                "keypoints are not supported yet, but by keypoint_box_coder",
                "take num_keypoints out",
            )
        elif reader.num_keypoints != coded and path == "train_input_reader":
            yield error(
                f"{path}.num_keypoints",
                f"is {reader.num_keypoints}, but codes of keypoint_box_coder have "
                f"{coded} keypoints",
            )


def _check_loss(ssd: Any) -> Iterator[Finding]:
    kind = ssd.loss.classification_loss.WhichOneof("classification_loss")
    path = "model.ssd.loss"
    if kind is None:
        return
    loss = getattr(ssd.loss.classification_loss, kind)
    if kind in _WEIGH_ALL and ssd.loss.HasField("hard_example_miner"):
        yield error(
            f"{path}.hard_example_miner",
            f"does not go with {kind}, which weighs all anchors",
            "take one of them out",
        )
    yield from check_classification_loss(loss, f"{path}.classification_loss.{kind}")
    yield from check_converter(ssd.post_processing, "model.ssd.post_processing", kind)
