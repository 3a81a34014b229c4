"""Builds a detector from a pipeline config."""

import dataclasses
from typing import Any

from odapi.build.anchors import build_anchors
from odapi.build.box_predictor import build_box_predictor
from odapi.build.center_net import build_center_net
from odapi.build.faster_rcnn import build_faster_rcnn
from odapi.build.feature_extractor import build_feature_extractor, pixel_scaling
from odapi.build.hyperparams import BuildContext
from odapi.build.keypoint_names import keypoint_label_map
from odapi.build.losses import build_anchor_loss
from odapi.build.oneof import build_oneof, call
from odapi.build.postprocess import build_postprocess
from odapi.build.precision import dtype_policy, lower_layers
from odapi.build.resizer import model_resizer
from odapi.build.targets import build_assigner, build_coder
from odapi.config.load import options
from odapi.config.parse import to_text
from odapi.config.protos import options_pb2
from odapi.config.readers import num_channels
from odapi.config.rules.registry import Part, require
from odapi.config.view import view
from odapi.data.image.resize import fixed_size
from odapi.errors import ConfigError
from odapi.labels import LabelMap
from odapi.layers.norm import BatchNorm
from odapi.models.detector import Detector
from odapi.models.single_stage.anchor_detector import AnchorDetector, AnchorParts
from odapi.runtime.compat import flatten_layers

# Any size fits if image sizes vary: variables do not depend on it.
_NOMINAL_SIZE = (320, 320)


def build_detector(
    config: Any, seed: int | None = None, label_map: LabelMap | None = None
) -> Detector:
    """Returns a detector with its variables, initialized from the seed.

    The same seed gives the same weights on every backend. The detector carries the
    text of the config, from which `keras.models.load_model` rebuilds it.

    Args:
        config: A TrainEvalPipelineConfig.
        seed: Of the initial weights; None takes that of `options`.
        label_map: Names of the classes, kept as `detector.label_map`. Keypoints of a
            CenterNet are taken from it too, if it has any, instead of
            `keypoint_label_map_path`.

    Raises:
        ConfigError: The model cannot be built.
    """
    require(config, Part.MODEL)
    message, config = config, view(config)
    context = BuildContext(
        seed=options(config).seed if seed is None else seed,
        dtype=dtype_policy(options(config)),
        keypoints=_keypoints(config, label_map),
        channels=num_channels(config),
    )
    detector = build_oneof(config.model, "model", _MODELS, "model", config, context)
    _set_batch_norm_decay(detector, options(config))
    lower_layers(detector, options(config))
    if options(config).rematerialization:
        _rematerialize(detector)
    detector.pipeline_config = _text(message, seed)
    # So that no file is needed to rebuild it.
    detector.label_map = label_map or context.keypoints
    return detector


def _keypoints(config: Any, label_map: LabelMap | None) -> LabelMap | None:
    """Returns the label map that names the keypoints; None if there are none."""
    if label_map is not None and label_map.num_keypoints:
        return label_map
    return keypoint_label_map(config)


def _text(config: Any, seed: int | None) -> str:
    if seed is None or seed == options(config).seed:
        return to_text(config)
    seeded = type(config)()
    seeded.CopyFrom(config)
    seeded.Extensions[options_pb2.options].seed = seed
    return to_text(seeded)


def _set_batch_norm_decay(detector: Detector, option: Any) -> None:
    if not option.HasField("batch_norm_decay"):
        return
    decay = option.batch_norm_decay
    for layer in flatten_layers(detector):
        if isinstance(layer, BatchNorm):
            layer.momentum = decay


def _rematerialize(detector: Detector) -> None:
    try:
        detector.feature_extractor.rematerialize()
    except ValueError as error:
        raise ConfigError(
            "options.rematerialization",
            f"is not available for this backbone: {error}",
            hint="options.gradient_accumulation also needs less memory",
        ) from error


def _ssd(ssd: Any, path: str, config: Any, context: BuildContext) -> Detector:
    size = fixed_size(model_resizer(config))
    context = dataclasses.replace(context, freeze_norm=ssd.freeze_batchnorm)
    extractor_path = f"{path}.feature_extractor"
    anchors = build_anchors(ssd.anchor_generator, f"{path}.anchor_generator")
    head = build_box_predictor(
        ssd.box_predictor,
        f"{path}.box_predictor",
        anchors.per_location,
        ssd.num_classes + (1 if ssd.add_background_class else 0),
        context,
    )
    coder = build_coder(ssd.box_coder, f"{path}.box_coder")
    postprocess = build_postprocess(
        ssd.post_processing,
        ssd.add_background_class or ssd.explicit_background_class,
        options(config).nms_candidates,
        f"{path}.post_processing",
    )
    parts = AnchorParts(
        pixels=pixel_scaling(ssd.feature_extractor, extractor_path),
        anchors=anchors,
        assigner=build_assigner(ssd, coder, path),
        loss=build_anchor_loss(ssd, coder, path),
        postprocess=postprocess,
    )
    # Last, since it takes longest: errors in other parts are reported before.
    extractor = build_feature_extractor(ssd.feature_extractor, extractor_path, context)
    detector = AnchorDetector(
        extractor,
        head,
        parts,
        seed=context.seed,
        num_classes=ssd.num_classes,
        image_size=size,
        max_detections=postprocess.nms.max_total,
        add_regularization=config.train_config.add_regularization_loss,
        num_channels=context.channels,
        name="detector",
        dtype=context.dtype,
    )
    call(_make_variables, ssd, path, detector)
    return detector


def _make_variables(ssd: Any, path: str, detector: AnchorDetector) -> None:
    size = detector.image_size or _NOMINAL_SIZE
    detector.build((None, *size, detector.num_channels))


_MODELS = {
    "ssd": _ssd,
    "center_net": build_center_net,
    "faster_rcnn": build_faster_rcnn,
}
