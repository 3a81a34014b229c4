"""The ranges that numbers of a config must lie in."""

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any

from odapi.config import schema
from odapi.config.findings import Finding, error


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; `above` leaves `low` itself out."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False

    def __contains__(self, number: float) -> bool:
        low = number > self.low if self.above else number >= self.low
        return low and number <= self.high

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"above {self.low:g}" if self.above else f"{self.low:g} or more"
        return f"{'above ' if self.above else ''}{self.low:g} to {self.high:g}"


_SHARE = Range(0, 1)
_POSITIVE = Range(0, above=True)
_NOT_NEGATIVE = Range(0)
_AT_LEAST_ONE = Range(1)
_SIZE = Range(1, 16384)

RANGES: dict[str, Range] = {
    "TrainConfig.batch_size": _AT_LEAST_ONE,
    "TrainConfig.gradient_clipping_by_norm": _NOT_NEGATIVE,
    "TrainConfig.bias_grad_multiplier": _NOT_NEGATIVE,
    "EvalConfig.batch_size": _AT_LEAST_ONE,
    "EvalConfig.min_score_threshold": _SHARE,
    "EvalConfig.max_num_boxes_to_visualize": _NOT_NEGATIVE,
    "InputReader.max_number_of_boxes": _AT_LEAST_ONE,
    "InputReader.sample_1_of_n_examples": _AT_LEAST_ONE,
    "InputReader.sample_from_datasets_weights": _NOT_NEGATIVE,
    "InputReader.frame_index": Range(-1),
    "Context.max_num_context_features": _AT_LEAST_ONE,
    "Context.context_feature_length": _AT_LEAST_ONE,
    "Context.attention_bottleneck_dimension": _AT_LEAST_ONE,
    "Context.attention_temperature": _POSITIVE,
    "Context.num_attention_heads": Range(1, 64),
    "Context.num_attention_layers": Range(1, 64),
    "Ssd.num_classes": _AT_LEAST_ONE,
    "Ssd.negative_class_weight": _NOT_NEGATIVE,
    "Ssd.implicit_example_weight": _NOT_NEGATIVE,
    "SsdFeatureExtractor.depth_multiplier": _POSITIVE,
    "SsdFeatureExtractor.min_depth": _AT_LEAST_ONE,
    "SsdFeatureExtractor.pad_to_multiple": _AT_LEAST_ONE,
    "SsdFeatureExtractor.num_layers": Range(1, 12),
    "FeaturePyramidNetworks.min_level": Range(1, 12),
    "FeaturePyramidNetworks.max_level": Range(1, 12),
    "FeaturePyramidNetworks.additional_layer_depth": _AT_LEAST_ONE,
    "BidirectionalFeaturePyramidNetworks.min_level": Range(1, 12),
    "BidirectionalFeaturePyramidNetworks.max_level": Range(1, 12),
    "BidirectionalFeaturePyramidNetworks.num_iterations": _AT_LEAST_ONE,
    "BidirectionalFeaturePyramidNetworks.num_filters": _AT_LEAST_ONE,
    "FixedShapeResizer.height": _SIZE,
    "FixedShapeResizer.width": _SIZE,
    "KeepAspectRatioResizer.min_dimension": _SIZE,
    "KeepAspectRatioResizer.max_dimension": _SIZE,
    "KeepAspectRatioResizer.per_channel_pad_value": Range(0, 255),
    "ConditionalShapeResizer.size_threshold": _SIZE,
    "PadToMultipleResizer.multiple": _SIZE,
    "ArgMaxMatcher.matched_threshold": _SHARE,
    "ArgMaxMatcher.unmatched_threshold": _SHARE,
    "ThresholdedIouSimilarity.iou_threshold": _SHARE,
    "FasterRcnn.number_of_stages": Range(1, 3),
    **{
        f"FasterRcnn.{name}": _AT_LEAST_ONE
        for name in (
            "num_classes",
            "first_stage_atrous_rate",
            "first_stage_max_proposals",
            "first_stage_box_predictor_kernel_size",
            "first_stage_box_predictor_depth",
            "first_stage_minibatch_size",
            "initial_crop_size",
            "maxpool_kernel_size",
            "maxpool_stride",
            "second_stage_batch_size",
        )
    },
    **{
        f"FasterRcnn.{name}": _SHARE
        for name in (
            "first_stage_nms_score_threshold",
            "first_stage_nms_iou_threshold",
        )
    },
    **{
        f"FasterRcnn.{name}": Range(0, 1, above=True)
        for name in (
            "first_stage_positive_balance_fraction",
            "second_stage_balance_fraction",
        )
    },
    **{
        f"FasterRcnn.{stage}_loss_weight": _NOT_NEGATIVE
        for stage in (
            "first_stage_localization",
            "first_stage_objectness",
            "second_stage_localization",
            "second_stage_classification",
            "second_stage_mask_prediction",
        )
    },
    "FasterRcnnBoxCoder.y_scale": _POSITIVE,
    "FasterRcnnBoxCoder.x_scale": _POSITIVE,
    "FasterRcnnBoxCoder.height_scale": _POSITIVE,
    "FasterRcnnBoxCoder.width_scale": _POSITIVE,
    "KeypointBoxCoder.num_keypoints": _AT_LEAST_ONE,
    "KeypointBoxCoder.y_scale": _POSITIVE,
    "KeypointBoxCoder.x_scale": _POSITIVE,
    "KeypointBoxCoder.height_scale": _POSITIVE,
    "KeypointBoxCoder.width_scale": _POSITIVE,
    "SquareBoxCoder.y_scale": _POSITIVE,
    "SquareBoxCoder.x_scale": _POSITIVE,
    "SquareBoxCoder.length_scale": _POSITIVE,
    "MeanStddevBoxCoder.stddev": _POSITIVE,
    "ConvolutionalBoxPredictor.min_depth": _NOT_NEGATIVE,
    "ConvolutionalBoxPredictor.max_depth": _NOT_NEGATIVE,
    "ConvolutionalBoxPredictor.num_layers_before_predictor": Range(0, 64),
    "ConvolutionalBoxPredictor.dropout_keep_probability": Range(0, 1, above=True),
    "ConvolutionalBoxPredictor.kernel_size": Range(1, 31),
    "WeightSharedConvolutionalBoxPredictor.depth": _NOT_NEGATIVE,
    "WeightSharedConvolutionalBoxPredictor.num_layers_before_predictor": Range(0, 64),
    "WeightSharedConvolutionalBoxPredictor.dropout_keep_probability": Range(
        0, 1, above=True
    ),
    "WeightSharedConvolutionalBoxPredictor.kernel_size": Range(1, 31),
    "L1Regularizer.weight": _NOT_NEGATIVE,
    "L2Regularizer.weight": _NOT_NEGATIVE,
    "TruncatedNormalInitializer.stddev": _NOT_NEGATIVE,
    "RandomNormalInitializer.stddev": _NOT_NEGATIVE,
    "VarianceScalingInitializer.factor": _POSITIVE,
    "BatchNorm.decay": _SHARE,
    "BatchNorm.epsilon": _POSITIVE,
    "SsdAnchorGenerator.num_layers": Range(1, 12),
    "SsdAnchorGenerator.min_scale": _POSITIVE,
    "SsdAnchorGenerator.max_scale": _POSITIVE,
    "SsdAnchorGenerator.scales": _POSITIVE,
    "SsdAnchorGenerator.aspect_ratios": _POSITIVE,
    "SsdAnchorGenerator.interpolated_scale_aspect_ratio": _NOT_NEGATIVE,
    "SsdAnchorGenerator.base_anchor_height": _POSITIVE,
    "SsdAnchorGenerator.base_anchor_width": _POSITIVE,
    "SsdAnchorGenerator.height_stride": _AT_LEAST_ONE,
    "SsdAnchorGenerator.width_stride": _AT_LEAST_ONE,
    "MultiscaleAnchorGenerator.min_level": Range(1, 12),
    "MultiscaleAnchorGenerator.max_level": Range(1, 12),
    "MultiscaleAnchorGenerator.anchor_scale": _POSITIVE,
    "MultiscaleAnchorGenerator.aspect_ratios": _POSITIVE,
    "MultiscaleAnchorGenerator.scales_per_octave": Range(1, 32),
    "GridAnchorGenerator.height": _AT_LEAST_ONE,
    "GridAnchorGenerator.width": _AT_LEAST_ONE,
    "GridAnchorGenerator.height_stride": _AT_LEAST_ONE,
    "GridAnchorGenerator.width_stride": _AT_LEAST_ONE,
    "GridAnchorGenerator.scales": _POSITIVE,
    "GridAnchorGenerator.aspect_ratios": _POSITIVE,
    "AnchorGrid.base_sizes": _POSITIVE,
    "AnchorGrid.aspect_ratios": _POSITIVE,
    "AnchorGrid.height_stride": _AT_LEAST_ONE,
    "AnchorGrid.width_stride": _AT_LEAST_ONE,
    "Loss.classification_weight": _NOT_NEGATIVE,
    "Loss.localization_weight": _NOT_NEGATIVE,
    "WeightedSmoothL1LocalizationLoss.delta": _POSITIVE,
    "SigmoidFocalClassificationLoss.gamma": _NOT_NEGATIVE,
    "SigmoidFocalClassificationLoss.alpha": _SHARE,
    "WeightedSoftmaxClassificationLoss.logit_scale": _POSITIVE,
    "WeightedSoftmaxClassificationAgainstLogitsLoss.logit_scale": _POSITIVE,
    "BootstrappedSigmoidClassificationLoss.alpha": _SHARE,
    "HardExampleMiner.num_hard_examples": _NOT_NEGATIVE,
    "HardExampleMiner.iou_threshold": _SHARE,
    "HardExampleMiner.max_negatives_per_positive": _NOT_NEGATIVE,
    "HardExampleMiner.min_negatives_per_image": _NOT_NEGATIVE,
    "RandomExampleSampler.positive_sample_fraction": _SHARE,
    "BatchNonMaxSuppression.score_threshold": _SHARE,
    "BatchNonMaxSuppression.iou_threshold": _SHARE,
    "BatchNonMaxSuppression.max_detections_per_class": _AT_LEAST_ONE,
    "BatchNonMaxSuppression.max_total_detections": _AT_LEAST_ONE,
    "BatchNonMaxSuppression.max_classes_per_detection": _AT_LEAST_ONE,
    "BatchNonMaxSuppression.soft_nms_sigma": _NOT_NEGATIVE,
    "PostProcessing.logit_scale": _POSITIVE,
    "TemperatureScalingCalibration.scaler": _POSITIVE,
    "Optimizer.moving_average_decay": _SHARE,
    "RMSPropOptimizer.momentum_optimizer_value": Range(0, 1),
    "RMSPropOptimizer.decay": _SHARE,
    "RMSPropOptimizer.epsilon": _NOT_NEGATIVE,
    "MomentumOptimizer.momentum_optimizer_value": _SHARE,
    "AdamOptimizer.epsilon": _POSITIVE,
    "ConstantLearningRate.learning_rate": _NOT_NEGATIVE,
    "ExponentialDecayLearningRate.initial_learning_rate": _NOT_NEGATIVE,
    "ExponentialDecayLearningRate.decay_steps": _AT_LEAST_ONE,
    "ExponentialDecayLearningRate.decay_factor": _POSITIVE,
    "ExponentialDecayLearningRate.burnin_learning_rate": _NOT_NEGATIVE,
    "ExponentialDecayLearningRate.min_learning_rate": _NOT_NEGATIVE,
    "ManualStepLearningRate.initial_learning_rate": _NOT_NEGATIVE,
    "LearningRateSchedule.learning_rate": _NOT_NEGATIVE,
    "CosineDecayLearningRate.learning_rate_base": _NOT_NEGATIVE,
    "CosineDecayLearningRate.total_steps": _AT_LEAST_ONE,
    "CosineDecayLearningRate.warmup_learning_rate": _NOT_NEGATIVE,
    "RandomHorizontalFlip.probability": _SHARE,
    "RandomAdjustBrightness.max_delta": _SHARE,
    "RandomAdjustContrast.min_delta": _NOT_NEGATIVE,
    "RandomAdjustContrast.max_delta": _NOT_NEGATIVE,
    "RandomAdjustHue.max_delta": Range(0, 0.5),
    "RandomAdjustSaturation.min_delta": _NOT_NEGATIVE,
    "RandomAdjustSaturation.max_delta": _NOT_NEGATIVE,
    **{
        f"{message}.{field}": allowed
        for message in ("RandomCropImage", "SSDRandomCropOperation")
        for field, allowed in {
            "min_object_covered": _SHARE,
            "min_aspect_ratio": _POSITIVE,
            "max_aspect_ratio": _POSITIVE,
            "min_area": _SHARE,
            "max_area": Range(0, 1, above=True),
            "overlap_thresh": _SHARE,
            "random_coef": _SHARE,
        }.items()
    },
    "RandomAbsolutePadImage.max_height_padding": _AT_LEAST_ONE,
    "RandomAbsolutePadImage.max_width_padding": _AT_LEAST_ONE,
    "RandomAbsolutePadImage.pad_color": Range(0, 255),
    "RandomSquareCropByScale.max_border": _NOT_NEGATIVE,
    "RandomSquareCropByScale.scale_min": _POSITIVE,
    "RandomSquareCropByScale.scale_max": _POSITIVE,
    "RandomSquareCropByScale.num_scales": _AT_LEAST_ONE,
    "RandomScaleCropAndPadToSquare.output_size": _SIZE,
    "RandomScaleCropAndPadToSquare.scale_min": _POSITIVE,
    "RandomScaleCropAndPadToSquare.scale_max": _POSITIVE,
}

# Pairs (lower, upper) of the same message that must not cross.
ORDERED: dict[str, tuple[tuple[str, str], ...]] = {
    "ArgMaxMatcher": (("unmatched_threshold", "matched_threshold"),),
    "KeepAspectRatioResizer": (("min_dimension", "max_dimension"),),
    "FeaturePyramidNetworks": (("min_level", "max_level"),),
    "MultiscaleAnchorGenerator": (("min_level", "max_level"),),
    "SsdAnchorGenerator": (("min_scale", "max_scale"),),
    "RandomAdjustContrast": (("min_delta", "max_delta"),),
    "RandomAdjustSaturation": (("min_delta", "max_delta"),),
    "RandomCropImage": (
        ("min_aspect_ratio", "max_aspect_ratio"),
        ("min_area", "max_area"),
    ),
    "SSDRandomCropOperation": (
        ("min_aspect_ratio", "max_aspect_ratio"),
        ("min_area", "max_area"),
    ),
    "RandomSquareCropByScale": (("scale_min", "scale_max"),),
    "RandomScaleCropAndPadToSquare": (("scale_min", "scale_max"),),
}


def find(config: Any) -> Iterator[Finding]:
    """Yields the numbers that lie outside their range."""
    for path, owner, field in schema.walk(config):
        if schema.is_message(field):
            if not schema.is_map(field):
                yield from _crossed(path, schema.value(owner, field), field)
        elif field.cpp_type not in (field.CPPTYPE_STRING, field.CPPTYPE_BOOL):
            yield from _outside(path, schema.value(owner, field), field)


def _outside(path: str, value: Any, field: schema.Field) -> Iterator[Finding]:
    # Without its outer message, as a schedule of learning rates has it.
    name = schema.key(field)
    allowed = RANGES.get(name) or RANGES.get(re.sub(r"^\w+\.(?=\w+\.)", "", name))
    values = value if field.is_repeated else [value]
    for index, number in enumerate(values):
        here = f"{path}[{index}]" if field.is_repeated else path
        shown = f"{number:.7g}" if isinstance(number, float) else str(number)
        if not math.isfinite(number):
            yield error(here, f"is {shown}; a finite number is needed")
        elif allowed is not None and number not in allowed:
            yield error(here, f"is {shown}; allowed is {allowed}")


def _crossed(path: str, value: Any, field: schema.Field) -> Iterator[Finding]:
    pairs = ORDERED.get(schema.short(field.message_type), ())
    elements = value if field.is_repeated else [value]
    for index, element in enumerate(elements):
        here = f"{path}[{index}]" if field.is_repeated else path
        for lower, upper in pairs:
            low, high = getattr(element, lower), getattr(element, upper)
            if low > high:
                yield error(here, f"{lower} {low:.7g} is above {upper} {high:.7g}")
