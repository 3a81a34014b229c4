"""Initial weights of a new run: backbone weights, or a checkpoint of another run."""

import dataclasses
import pathlib

from odapi.backbones.table import APPLICATIONS
from odapi.checkpoints import pretrained
from odapi.checkpoints.class_rows import MovedRows, move_class_rows
from odapi.checkpoints.restore import RestoreReport, adapt_shapes, restore
from odapi.checkpoints.weights import values
from odapi.config.load import Config, options
from odapi.config.protos import train_pb2
from odapi.config.rules.files import is_placeholder
from odapi.config.view import view
from odapi.errors import ConfigError, unknown_choice
from odapi.labels import LabelMap
from odapi.models.detector import Detector
from odapi.training.given_model import GivenModel
from odapi.zoo.fine_tune import is_tf2, restore_tf2


def initialize(
    config: Config, detector: Detector, label_map: LabelMap | None = None
) -> list[RestoreReport]:
    """Loads `options.backbone_weights`, then `train_config.fine_tune_checkpoint`.

    Args:
        config: A TrainEvalPipelineConfig.
        detector: A built detector.
        label_map: Its classes; None loads weights per class by the ids of classes.

    Raises:
        CheckpointError: A checkpoint cannot be read, or nothing in it fits.
        ConfigError: The type is unknown, or the backbone has no such weights.
    """
    reports = []
    weights = options(config).backbone_weights
    if weights:
        reports.append(_backbone(config, detector, weights))
    train = config.train_config
    path = train.fine_tune_checkpoint
    if path and not (weights and is_placeholder(path)):
        path = str(pathlib.Path(path).expanduser())
        kind = fine_tune_type(train)
        if is_tf2(path):
            reports.append(restore_tf2(detector, path, kind))
        else:
            reports.append(restore(detector, path, kind, label_map))
    return reports


def initialize_from_model(
    detector: Detector, model: GivenModel, label_map: LabelMap
) -> RestoreReport:
    """Loads the weights of a model; those of another shape keep their initial values.

    Args:
        detector: A built detector.
        model: The model; its weights per class are loaded by the names of the classes.
        label_map: The classes of the detector.

    Raises:
        CheckpointError: No weight fits.
    """
    rows = MovedRows(values(model.detector.named_variables()))
    if model.label_map is not None:
        rows = move_class_rows(detector, rows.arrays, model.label_map, label_map)
    classes = {"there": model.detector.num_classes, "here": detector.num_classes}
    variables = detector.named_variables()
    report = adapt_shapes(variables, rows.arrays, "the given model", "full", classes)
    return dataclasses.replace(report, classes=tuple(rows.lines()))


def fine_tune_type(train: train_pb2.TrainConfig) -> str:
    """Returns the type of the checkpoint; if it is not set, the original's default."""
    default = "detection" if train.from_detection_checkpoint else "classification"
    return train.fine_tune_checkpoint_type or default


def _backbone(config: Config, detector: Detector, weights: str) -> RestoreReport:
    variables = detector.variables_for("classification")
    if weights == pretrained.IMAGENET:
        model = config.model
        extractor = getattr(model, model.WhichOneof("model")).feature_extractor
        if extractor.type not in APPLICATIONS:
            raise unknown_choice(
                "options.backbone_weights", extractor.type, APPLICATIONS
            )
        application = APPLICATIONS[extractor.type]
        arguments = {}
        if application.width_power:
            width = view(extractor).depth_multiplier
            arguments["alpha"] = width**application.width_power
        arrays = pretrained.download(application.name, **arguments)
        source = f"{application.name} of Keras Applications, trained on ImageNet"
    else:
        file = pathlib.Path(weights).expanduser()
        if not pretrained.is_weight_file(file):
            raise ConfigError(
                "options.backbone_weights",
                f"{weights!r} is neither {pretrained.IMAGENET!r} nor a file that ends "
                "in .npz or .h5",
                hint="for a run of odapi, set train_config.fine_tune_checkpoint",
            )
        arrays, source = pretrained.read(file), weights
    arrays = pretrained.convert_names(arrays, variables)
    return adapt_shapes(variables, arrays, source, "classification", {})
