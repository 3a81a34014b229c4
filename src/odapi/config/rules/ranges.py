"""Allowed ranges of the numeric fields."""

import math
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from odapi.config import schema
from odapi.config.findings import Finding, error
from odapi.config.rules import augmentation_ranges
from odapi.config.rules.number_range import Range
from odapi.config.view import decimal

_NOT_NUMBERS = (
    FieldDescriptor.CPPTYPE_STRING,
    FieldDescriptor.CPPTYPE_BOOL,
    FieldDescriptor.CPPTYPE_ENUM,
)


_SHARE = Range(0, 1)
_POSITIVE = Range(0, above=True)
_NOT_NEGATIVE = Range(0)
_AT_LEAST_ONE = Range(1)
_SIZE = Range(1, 16384)
_MASK = Range(1, 4096)
_LAYERS = Range(1, 64)
_KERNEL = Range(1, 31)
_COUNT = Range(1, 100000)
_INNER_SHARE = Range(0, 1, above=True, below=True)

RANGES: dict[str, Range] = {
    "TrainConfig.batch_size": _AT_LEAST_ONE,
    "TrainConfig.gradient_clipping_by_norm": _NOT_NEGATIVE,
    "TrainConfig.bias_grad_multiplier": _NOT_NEGATIVE,
    "EvalConfig.batch_size": _AT_LEAST_ONE,
    "Options.gradient_accumulation": _AT_LEAST_ONE,
    "Options.max_hours": _NOT_NEGATIVE,
    "Sampling.fraction": Range(0, 1, above=True),
    "Sampling.repeat_factor_threshold": _SHARE,
    "ClassWeight.weight": _NOT_NEGATIVE,
    "Trackers.close_seconds": Range(0, 86400),
    "EvalConfig.min_score_threshold": _SHARE,
    "EvalConfig.max_num_boxes_to_visualize": _NOT_NEGATIVE,
    "InputReader.max_number_of_boxes": _AT_LEAST_ONE,
    "InputReader.num_additional_channels": Range(0, 61),
    "InputReader.sample_1_of_n_examples": _AT_LEAST_ONE,
    "InputReader.sample_from_datasets_weights": _NOT_NEGATIVE,
    "InputReader.frame_index": Range(-1),
    "Context.max_num_context_features": _AT_LEAST_ONE,
    "Context.context_feature_length": _AT_LEAST_ONE,
    "Context.attention_bottleneck_dimension": _AT_LEAST_ONE,
    "Context.attention_temperature": _POSITIVE,
    "Context.num_attention_heads": Range(1, 64),
    "Context.num_attention_layers": Range(1, 64),
    "CenterNet.num_classes": _AT_LEAST_ONE,
    "CenterNet.PredictionHeadParams.num_filters": _AT_LEAST_ONE,
    "CenterNet.PredictionHeadParams.kernel_sizes": _AT_LEAST_ONE,
    "CenterNet.TrackEstimation.num_track_ids": _AT_LEAST_ONE,
    "CenterNet.TrackEstimation.reid_embed_size": _SIZE,
    "CenterNet.TrackEstimation.num_fc_layers": _LAYERS,
    "CenterNet.ObjectCenterParams.min_box_overlap_iou": _INNER_SHARE,
    "CenterNet.ObjectCenterParams.max_box_predictions": _COUNT,
    "CenterNet.ObjectCenterParams.peak_max_pool_kernel_size": _KERNEL,
    "CenterNet.ObjectCenterParams.keypoint_weights_for_center": _NOT_NEGATIVE,
    "CenterNet.KeypointEstimation.num_candidates_per_keypoint": _COUNT,
    "CenterNet.KeypointEstimation.peak_max_pool_kernel_size": _KERNEL,
    "CenterNet.KeypointEstimation.offset_peak_radius": Range(0, 31),
    "CenterNet.KeypointEstimation.score_distance_offset": _POSITIVE,
    "CenterNet.KeypointEstimation.score_distance_multiplier": _POSITIVE,
    "CenterNet.KeypointEstimation.std_dev_multiplier": _POSITIVE,
    "CenterNet.KeypointEstimation.gaussian_denom_ratio": _POSITIVE,
    "CenterNet.MaskEstimation.mask_height": _MASK,
    "CenterNet.MaskEstimation.mask_width": _MASK,
    "CenterNet.DensePoseEstimation.num_parts": _COUNT,
    "CenterNet.DeepMACMaskEstimation.dim": _SIZE,
    "CenterNet.DeepMACMaskEstimation.pixel_embedding_dim": _SIZE,
    "CenterNet.DeepMACMaskEstimation.mask_size": _MASK,
    "CenterNet.DeepMACMaskEstimation.num_init_channels": _SIZE,
    "CenterNet.DeepMACMaskEstimation.postprocess_crop_size": _MASK,
    "CenterNet.DeepMACMaskEstimation.feature_consistency_dilation": _KERNEL,
    "CenterNet.DeepMACMaskEstimation.augmented_self_supervision_scale_min": _POSITIVE,
    "CenterNet.DeepMACMaskEstimation.augmented_self_supervision_scale_max": _POSITIVE,
    "CenterNetFeatureExtractor.depth_multiplier": _POSITIVE,
    "CenterNetFeatureExtractor.channel_stds": _POSITIVE,
    "FasterRcnnFeatureExtractor.pad_to_multiple": _AT_LEAST_ONE,
    "MaskRCNNBoxPredictor.dropout_keep_probability": Range(0, 1, above=True),
    "MaskRCNNBoxPredictor.box_code_size": _AT_LEAST_ONE,
    "MaskRCNNBoxPredictor.mask_height": _MASK,
    "MaskRCNNBoxPredictor.mask_width": _MASK,
    "MaskRCNNBoxPredictor.mask_prediction_num_conv_layers": _LAYERS,
    "MaskRCNNBoxPredictor.mask_prediction_conv_depth": Range(0, 16384),
    "RfcnBoxPredictor.box_code_size": _AT_LEAST_ONE,
    "RfcnBoxPredictor.depth": _SIZE,
    "RfcnBoxPredictor.num_spatial_bins_height": _KERNEL,
    "RfcnBoxPredictor.num_spatial_bins_width": _KERNEL,
    "RfcnBoxPredictor.crop_height": _MASK,
    "RfcnBoxPredictor.crop_width": _MASK,
    "PenaltyReducedLogisticFocalLoss.alpha": _NOT_NEGATIVE,
    "PenaltyReducedLogisticFocalLoss.beta": _NOT_NEGATIVE,
    "LearningRateSchedule.step": _AT_LEAST_ONE,
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
    "RandomExampleSampler.positive_sample_fraction": Range(0, 1, above=True),
    "BatchNonMaxSuppression.score_threshold": _SHARE,
    "BatchNonMaxSuppression.iou_threshold": _SHARE,
    "BatchNonMaxSuppression.max_detections_per_class": _AT_LEAST_ONE,
    "BatchNonMaxSuppression.max_total_detections": _AT_LEAST_ONE,
    "BatchNonMaxSuppression.max_classes_per_detection": _AT_LEAST_ONE,
    "BatchNonMaxSuppression.soft_nms_sigma": _NOT_NEGATIVE,
    "PostProcessing.logit_scale": _POSITIVE,
    "TemperatureScalingCalibration.scaler": _POSITIVE,
    "Optimizer.moving_average_decay": _SHARE,
    "Options.batch_norm_decay": _INNER_SHARE,
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
    **augmentation_ranges.RANGES,
}

# Pairs (lower, upper) of the same message that must not cross.
ORDERED: dict[str, tuple[tuple[str, str], ...]] = {
    "ArgMaxMatcher": (("unmatched_threshold", "matched_threshold"),),
    "KeepAspectRatioResizer": (("min_dimension", "max_dimension"),),
    "FeaturePyramidNetworks": (("min_level", "max_level"),),
    "MultiscaleAnchorGenerator": (("min_level", "max_level"),),
    "SsdAnchorGenerator": (("min_scale", "max_scale"),),
    "ConvolutionalBoxPredictor": (("min_depth", "max_depth"),),
    "ConvolutionalBoxPredictor.BoxEncodingsClipRange": (("min", "max"),),
    "WeightSharedConvolutionalBoxPredictor.BoxEncodingsClipRange": (("min", "max"),),
    "BidirectionalFeaturePyramidNetworks": (("min_level", "max_level"),),
    "CenterNet.DeepMACMaskEstimation": (
        (
            "augmented_self_supervision_scale_min",
            "augmented_self_supervision_scale_max",
        ),
    ),
    **augmentation_ranges.ORDERED,
}


def find(path: str, owner: Any, field: schema.Field) -> Iterator[Finding]:
    """Yields the numbers of one field that lie outside its range."""
    if schema.is_message(field) or field.cpp_type in _NOT_NUMBERS:
        return
    # "Outer.Message.field" may be listed as "Message.field".
    name = schema.key(field)
    allowed = RANGES.get(name) or RANGES.get(re.sub(r"^\w+\.(?=\w+\.)", "", name))
    value = schema.value(owner, field)
    for index, number in enumerate(value if field.is_repeated else [value]):
        here = f"{path}[{index}]" if field.is_repeated else path
        shown = str(number)
        if isinstance(number, float):
            number = decimal(number)
            shown = f"{number:.7g}"
        if not math.isfinite(number):
            yield error(here, f"is {shown}; a finite number is needed")
        elif allowed is not None and number not in allowed:
            yield error(here, f"is {shown}; allowed is {allowed}")


def find_crossed(path: str, message: Any) -> Iterator[Finding]:
    """Yields the pairs of fields of `message` whose lower one is above the upper."""
    for lower, upper in ORDERED.get(schema.short(message.DESCRIPTOR), ()):
        low, high = getattr(message, lower), getattr(message, upper)
        if low > high:
            yield error(path, f"{lower} {low:.7g} is above {upper} {high:.7g}")
