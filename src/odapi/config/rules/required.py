"""Fields that a message must set, and oneofs that must not be empty."""

from collections.abc import Iterator
from typing import Any

from odapi.config import schema
from odapi.config.findings import Finding, error

# Fields by message, each with its hint.
REQUIRED: dict[str, dict[str, str]] = {
    "TrainEvalPipelineConfig": {"model": "write model { ssd { ... } }"},
    "Ssd": {
        "num_classes": "classes count from 1",
        **dict.fromkeys(
            (
                "image_resizer", "feature_extractor", "box_coder", "matcher",
                "similarity_calculator", "box_predictor", "anchor_generator",
                "post_processing", "loss",
            ),
            "",
        ),
    },
    "SsdFeatureExtractor": {"type": "such as 'ssd_mobilenet_v2_keras'"},
    "FasterRcnn": {
        "num_classes": "classes count from 1",
        "image_resizer": "",
        "feature_extractor": "",
        "first_stage_anchor_generator": "",
        "first_stage_box_predictor_conv_hyperparams": "",
    },
    "FasterRcnnFeatureExtractor": {"type": "such as 'faster_rcnn_resnet50_fpn_keras'"},
    "CenterNet": {
        "num_classes": "classes count from 1",
        "image_resizer": "",
        "feature_extractor": "",
        "object_center_params": "",
    },
    "CenterNetFeatureExtractor": {"type": "such as 'resnet_v2_50'"},
    "CenterNet.ObjectDetection": {"localization_loss": ""},
    "CenterNet.ObjectCenterParams": {"classification_loss": ""},
    "CenterNet.KeypointEstimation": {
        "task_name": "losses are named after the task",
        "keypoint_class_name": "the name of a class in keypoint_label_map_path",
        "loss": "",
    },
    "CenterNet.MaskEstimation": {"classification_loss": ""},
    "CenterNet.DensePoseEstimation": {"loss": ""},
    "CenterNet.TrackEstimation": {
        "num_track_ids": "the number of individuals in the training data",
        "classification_loss": "",
    },
    "CenterNet.TemporalOffsetEstimation": {"localization_loss": ""},
    "CenterNet.DeepMACMaskEstimation": {"classification_loss": ""},
    "CocoKeypointMetrics": {"class_label": "the name of a class of the label map"},
    "KeypointBoxCoder": {"num_keypoints": "the number of keypoints per object"},
    "AnchorGrid": {"height_stride": "in pixels", "width_stride": "in pixels"},
    **dict.fromkeys(
        (
            "SSDRandomCropOperation", "SSDRandomCropPadOperation",
            "SSDRandomCropPadFixedAspectRatioOperation",
        ),
        dict.fromkeys(
            ("min_aspect_ratio", "max_aspect_ratio", "max_area"),
            "the field has no default",
        ),
    ),
    "SSDRandomCropFixedAspectRatioOperation": {"max_area": "the field has no default"},
    "ResizeImage": {"new_height": "in pixels", "new_width": "in pixels"},
    "RandomResizeMethod": {"target_height": "in pixels", "target_width": "in pixels"},
    "DropLabelProbabilistically": {"label": "the id of a class of the label map"},
    "RemapLabels": {"new_label": "the id of a class of the label map"},
    "ClassWeight": {"name": "the name of a class of the label map"},
    "Loss": {"localization_loss": "", "classification_loss": ""},
    "BootstrappedSigmoidClassificationLoss": {"alpha": "the field has no default"},
    "PenaltyReducedLogisticFocalLoss": {"alpha": "usual is 2", "beta": "usual is 4"},
    "TemperatureScalingCalibration": {"scaler": "it divides the logits"},
    "FunctionApproximation": {"x_y_pairs": ""},
    "TrainConfig": {"optimizer": ""},
    "RMSPropOptimizer": {"learning_rate": ""},
    "MomentumOptimizer": {"learning_rate": ""},
    "AdamOptimizer": {"learning_rate": ""},
}  # fmt: skip
# Messages whose oneofs must have a member.
NOT_EMPTY = frozenset(
    {
        "DetectionModel", "ImageResizer", "BoxCoder", "Matcher",
        "RegionSimilarityCalculator", "BoxPredictor", "AnchorGenerator",
        "LocalizationLoss", "ClassificationLoss", "Optimizer", "LearningRate",
        "PreprocessingStep", "CalibrationConfig", "ParameterizedMetric", "Augmentation",
    }
)  # fmt: skip


def find(path: str, message: Any) -> Iterator[Finding]:
    """Yields the fields that `message` itself lacks."""
    name = schema.short(message.DESCRIPTOR)
    for part, hint in REQUIRED.get(name, {}).items():
        if not message.HasField(part) or getattr(message, part) == "":
            yield error(schema.join(path, part), "is missing", hint)
    for oneof in message.DESCRIPTOR.oneofs if name in NOT_EMPTY else ():
        if message.WhichOneof(oneof.name) is None:
            members = ", ".join(f.name for f in oneof.fields)
            yield error(path, "is empty", f"set one of {members}")
