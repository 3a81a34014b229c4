"""What a new training starts from: backbone weights, a checkpoint of another run."""

import pathlib
from typing import Any

from odapi.backbones.center_table import CENTER_EXTRACTORS
from odapi.backbones.rcnn_table import RCNN_EXTRACTORS
from odapi.checkpoints import pretrained
from odapi.checkpoints.restore import RestoreReport, adapt_shapes, restore
from odapi.config.check_data import is_placeholder
from odapi.config.load import options
from odapi.config.view import view
from odapi.errors import ConfigError, unknown_choice
from odapi.zoo.fine_tune import is_tf2, restore_tf2

# Which model of Keras Applications has the backbone of an extractor.
_APPLICATIONS = {
    "ssd_mobilenet_v1_keras": "MobileNet",
    "ssd_mobilenet_v1_fpn_keras": "MobileNet",
    "ssd_mobilenet_v2_keras": "MobileNetV2",
    "ssd_mobilenet_v2_fpn_keras": "MobileNetV2",
    "ssd_resnet50_v1_fpn_keras": "ResNet50",
    "ssd_resnet101_v1_fpn_keras": "ResNet101",
    "ssd_resnet152_v1_fpn_keras": "ResNet152",
    **{f"ssd_efficientnet-b{n}_bifpn_keras": f"EfficientNetB{n}" for n in range(8)},
    **{k: row.application for k, row in CENTER_EXTRACTORS.items() if row.application},
    **{k: row.application for k, row in RCNN_EXTRACTORS.items()},
}
# How often an extractor multiplies channels by its depth_multiplier.
_TIMES = {"MobileNet": 2, "MobileNetV2": 1}


def start_from(config: Any, detector: Any) -> list[RestoreReport]:
    """Loads `options.backbone_weights`, then `train_config.fine_tune_checkpoint`.

    Raises:
        CheckpointError: One cannot be read, or nothing of it fits.
        ConfigError: The type is unknown, or there are no such weights.
    """
    reports = []
    weights = options(config).backbone_weights
    if weights:
        reports.append(_backbone(config, detector, weights))
    train = config.train_config
    path = train.fine_tune_checkpoint
    if path and not (weights and is_placeholder(path)):
        path = str(pathlib.Path(path).expanduser())
        load = restore_tf2 if is_tf2(path) else restore
        reports.append(load(detector, path, fine_tune_type(train)))
    return reports


def fine_tune_type(train: Any) -> str:
    """Returns what of a checkpoint is restored; the original's choice if not set."""
    assumed = "detection" if train.from_detection_checkpoint else "classification"
    return train.fine_tune_checkpoint_type or assumed


def _backbone(config: Any, detector: Any, weights: str) -> RestoreReport:
    variables = detector.variables_for("classification")
    if weights == pretrained.IMAGENET:
        model = config.model
        extractor = getattr(model, model.WhichOneof("model")).feature_extractor
        if extractor.type not in _APPLICATIONS:
            raise unknown_choice(
                "options.backbone_weights", extractor.type, _APPLICATIONS
            )
        application = _APPLICATIONS[extractor.type]
        arguments = {}
        if application in _TIMES:
            width = view(extractor).depth_multiplier
            arguments["alpha"] = width ** _TIMES[application]
        arrays = pretrained.download(application, **arguments)
        source = f"{application} of Keras Applications, trained on ImageNet"
    else:
        file = pathlib.Path(weights).expanduser()
        if not pretrained.is_weight_file(file):
            raise ConfigError(
                "options.backbone_weights",
                f"{weights!r} is neither {pretrained.IMAGENET!r} nor a file that ends "
                "in .npz or .h5",
                hint="a run of odapi goes into train_config.fine_tune_checkpoint",
            )
        arrays, source = pretrained.read(file), weights
    arrays = pretrained.convert_names(arrays, variables)
    return adapt_shapes(variables, arrays, source, "classification", {})
