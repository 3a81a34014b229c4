"""Fields that are not supported or have no effect, each with its reason.

A row names a field as "Message.field", or by its path if the message is used in
several places with different meanings. A field that is set to its default value has
nothing to report and is not listed. A field that becomes supported loses its row.
"""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from odapi.config import schema
from odapi.config.findings import Finding, error, warning


@dataclasses.dataclass(frozen=True)
class Row:
    """Status of a field that is set.

    Args:
        why: End of the sentence "is not supported yet: ..." or "has no effect: ...".
        refused: True if setting the field is an error.
        same: Values that mean the same as the default.
    """

    why: str = ""
    refused: bool = False
    same: tuple[Any, ...] = ()


def _refused(why: str = "") -> Row:
    return Row(why, refused=True)


_TF1 = Row("only the TF1 trainers of the original read it")
_TF1_EVAL = Row("only the TF1 evaluators of the original read it")
_TPU = Row("it concerns TPUs only")
_UNREAD = Row("no code of the original reads it either")
_RESULT_SAME = Row("it changes the implementation, not the result")
_NORMALIZED = Row("anchors are always shares of the image, as the groundtruth is")
_PIPELINE = Row("the input pipeline sizes itself; see options.data_loading")
_ORDER = Row("the whole dataset is shuffled, by options.seed")
_LATER = _refused()

ROWS: dict[str, Row] = {
    "TrainEvalPipelineConfig.graph_rewriter": _TF1,
    "DetectionModel.experimental_model": _refused("write the model in Python instead"),
    # The model.
    "Ssd.inplace_batchnorm_update": Row("Keras updates batch statistics in place"),
    "Ssd.mask_head_config": _UNREAD,
    "Ssd.return_raw_detections_during_predict": Row(
        "raw boxes and scores are always part of the model's outputs"
    ),
    "BidirectionalFeaturePyramidNetworks.use_native_resize_op": _RESULT_SAME,
    "SsdFeatureExtractor.spaghettinet_arch_name": _LATER,
    "SsdFeatureExtractor.use_hardswish": _UNREAD,
    "model.ssd.box_predictor.mask_rcnn_box_predictor": _refused(
        "it belongs to Faster R-CNN"
    ),
    "model.ssd.box_predictor.rfcn_box_predictor": _refused("it belongs to R-FCN"),
    **{
        f"model.faster_rcnn.second_stage_box_predictor.{name}": _refused(
            "it belongs to SSD"
        )
        for name in (
            "convolutional_box_predictor",
            "weight_shared_convolutional_box_predictor",
        )
    },
    "Hyperparams.op": Row("the kind of layer follows from the part", same=(2,)),
    "Matcher.bipartite_matcher": _refused("it fails in the original's TF2 too"),
    "ArgMaxMatcher.use_matmul_gather": _RESULT_SAME,
    "MultiscaleAnchorGenerator.normalize_coordinates": _NORMALIZED,
    "FlexibleGridAnchorGenerator.normalize_coordinates": _NORMALIZED,
    # Faster R-CNN.
    "FasterRcnn.inplace_batchnorm_update": Row(
        "Keras updates batch statistics in place"
    ),
    "FasterRcnn.use_matmul_gather_in_matcher": _RESULT_SAME,
    "FasterRcnn.use_static_shapes_for_eval": Row("shapes are always static"),
    "FasterRcnn.use_partitioned_nms_in_first_stage": _TPU,
    "FasterRcnn.use_combined_nms_in_first_stage": _RESULT_SAME,
    "FasterRcnn.resize_masks": Row("masks are always resized with their image"),
    "FasterRcnn.return_raw_detections_during_predict": Row(
        "raw boxes and scores are always part of the model's outputs"
    ),
    # CenterNet.
    "CenterNet.compute_heatmap_sparse": Row(
        "heatmaps are always computed sparsely, with the same result"
    ),
    "CenterNetFeatureExtractor.use_depthwise": _UNREAD,
    # Losses.
    "Loss.equalization_loss": Row("the original reads it and never uses it"),
    "Loss.expected_loss_weights": _refused("it fails in the original too"),
    "Loss.min_num_negative_samples": Row("only expected_loss_weights uses it"),
    "Loss.desired_negative_sampling_ratio": Row("only expected_loss_weights uses it"),
    "WeightedL2LocalizationLoss.anchorwise_output": _UNREAD,
    "WeightedSmoothL1LocalizationLoss.anchorwise_output": _UNREAD,
    "WeightedSigmoidClassificationLoss.anchorwise_output": _UNREAD,
    "SigmoidFocalClassificationLoss.anchorwise_output": _UNREAD,
    "WeightedSoftmaxClassificationLoss.anchorwise_output": _UNREAD,
    "WeightedSoftmaxClassificationAgainstLogitsLoss.anchorwise_output": _UNREAD,
    "BootstrappedSigmoidClassificationLoss.anchorwise_output": _UNREAD,
    # Non-maximum suppression (NMS) and calibration.
    "BatchNonMaxSuppression.use_static_shapes": Row("shapes are always static"),
    "BatchNonMaxSuppression.use_partitioned_nms": _TPU,
    "BatchNonMaxSuppression.use_cpu_nms": _RESULT_SAME,
    "BatchNonMaxSuppression.use_combined_nms": _RESULT_SAME,
    "BatchNonMaxSuppression.use_hard_nms": _RESULT_SAME,
    "CalibrationConfig.sigmoid_calibration": _refused("not in the original either"),
    "CalibrationConfig.class_id_sigmoid_calibrations": _refused(
        "not in the original either"
    ),
    "XYPairs.training_data_type": _UNREAD,
    # Training.
    "TrainConfig.sync_replicas": _TF1,
    "TrainConfig.startup_delay_steps": _TF1,
    "TrainConfig.replicas_to_aggregate": _TF1,
    "TrainConfig.keep_checkpoint_every_n_hours": Row(
        "see options.checkpoints { every_n_steps keep }"
    ),
    "TrainConfig.batch_queue_capacity": _PIPELINE,
    "TrainConfig.num_batch_queue_threads": _PIPELINE,
    "TrainConfig.prefetch_queue_capacity": _PIPELINE,
    "TrainConfig.max_number_of_boxes": Row(
        "it moved to train_input_reader.max_number_of_boxes"
    ),
    "TrainConfig.load_all_detection_checkpoint_vars": _refused(
        'set fine_tune_checkpoint_type: "full" instead'
    ),
    "TrainConfig.run_fine_tune_checkpoint_dummy_computation": Row(
        "models are always built before weights are restored"
    ),
    "TrainConfig.unpad_groundtruth_tensors": Row(
        "padding is masked and never counts in a loss"
    ),
    "TrainConfig.retain_original_images": Row("training shows no original images"),
    "TrainConfig.use_bfloat16": Row(
        "it concerns TPUs only; see options.precision: BFLOAT16"
    ),
    "TrainConfig.summarize_gradients": _TF1,
    # Augmentations.
    "PreprocessingStep.scale_boxes_to_pixel_coordinates": Row(
        "models expect boxes that are normalized, which they stay"
    ),
    # Input.
    "InputReader.name": Row("nothing refers to a reader by its name"),
    "InputReader.filenames_shuffle_buffer_size": _ORDER,
    "InputReader.shuffle_buffer_size": _ORDER,
    "train_input_reader.num_epochs": Row("training ends after train_config.num_steps"),
    "eval_input_reader.frame_index": Row("an evaluation covers every frame"),
    "eval_input_reader.num_epochs": Row(
        "an evaluation covers every image once", same=(1,)
    ),
    "InputReader.num_readers": _PIPELINE,
    "InputReader.num_parallel_batches": _PIPELINE,
    "InputReader.num_prefetch_batches": Row("see options.data_loading.prefetch"),
    "InputReader.queue_capacity": _PIPELINE,
    "InputReader.min_after_dequeue": _PIPELINE,
    "InputReader.read_block_length": _PIPELINE,
    "InputReader.prefetch_size": _PIPELINE,
    "InputReader.num_parallel_map_calls": _PIPELINE,
    "InputReader.drop_remainder": Row(
        "training repeats the data without gaps, evaluation covers every image"
    ),
    "InputReader.include_source_id": Row("image ids are always kept"),
    "InputReader.use_display_name": Row("classes are found by either name"),
    "InputReader.keypoint_type_weight": Row("no model of the original reads it"),
    "InputReader.mask_type": Row("records show which kind of masks they hold"),
    "InputReader.external_input_reader": _refused("the original only reserves it"),
    # Evaluation.
    "EvalConfig.num_examples": _TF1_EVAL,
    "EvalConfig.max_evals": _TF1_EVAL,
    "EvalConfig.eval_interval_secs": Row("see options.evaluation.every_n_steps"),
    "EvalConfig.save_graph": _TF1_EVAL,
    "EvalConfig.visualization_export_dir": _TF1_EVAL,
    "EvalConfig.eval_master": _TF1_EVAL,
    "EvalConfig.ignore_groundtruth": _TF1_EVAL,
    "EvalConfig.eval_instance_masks": _UNREAD,
    "EvalConfig.skip_scores": _TF1_EVAL,
    "EvalConfig.skip_labels": _TF1_EVAL,
    "EvalConfig.visualize_groundtruth_boxes": _TF1_EVAL,
    "EvalConfig.groundtruth_box_visualization_color": _TF1_EVAL,
    "EvalConfig.keep_image_id_for_visualization_export": _TF1_EVAL,
    "EvalConfig.use_dummy_loss_in_eval": _TF1_EVAL,
    "EvalConfig.export_path": _refused("`odapi eval --output` writes them"),
    "EvalConfig.recall_lower_bound": Row("only precision at recall uses it"),
    "EvalConfig.recall_upper_bound": Row("only precision at recall uses it"),
    "EvalConfig.retain_original_images": Row("images for drawing are always kept"),
    "EvalConfig.retain_original_image_additional_channels": Row(
        "drawings show red, green and blue"
    ),
}  # fmt: skip


def find(path: str, owner: Any, field: schema.Field) -> Iterator[Finding]:
    """Yields that a field is not supported or has no effect."""
    row = _row(path, field)
    if row is None or _asks_nothing(owner, field, row):
        return
    if not row.refused:
        yield warning(path, f"has no effect: {row.why}")
        return
    why = f"is not supported yet: {row.why}" if row.why else "is not supported yet"
    yield error(path, why, _others(path, field))


def _row(path: str, field: schema.Field) -> Row | None:
    return ROWS.get(re.sub(r"\[\d+\]", "", path)) or ROWS.get(schema.key(field))


def _asks_nothing(owner: Any, field: schema.Field, row: Row) -> bool:
    if field.is_repeated or schema.is_message(field):
        return False
    value = schema.value(owner, field)
    return value == field.default_value or value in row.same


def _others(path: str, field: schema.Field) -> str:
    """Names the members of the oneof that can be set instead of `field`."""
    if field.containing_oneof is None:
        return f"remove {field.name}"
    owner = path.rpartition(".")[0]
    others = [
        other.name
        for other in field.containing_oneof.fields
        if not (_row(f"{owner}.{other.name}", other) or Row()).refused
    ]
    return f"supported are {', '.join(sorted(others))}" if others else ""
