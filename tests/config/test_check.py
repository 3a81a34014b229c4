"""Checks of configs that start from one that is right, and break one thing."""

import pytest

from odapi.config import schema
from odapi.config.check import check, find
from odapi.config.load import load_config
from odapi.config.rules import choices, extractors, ranges, support
from odapi.errors import ConfigError

SSD = "ssd_mobilenet_v2_320x320_coco17_tpu-8"
FPN = "ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8"
NMS = "model.ssd.post_processing.batch_non_max_suppression"
ANCHORS = "model.ssd.anchor_generator"
RATE = "train_config.optimizer.momentum_optimizer.learning_rate"
COSINE = f"{RATE}.cosine_decay_learning_rate"


def _zoo(shared, name, *overrides):
    return load_config(shared / f"configs/tf2/{name}.config", overrides)


def _errors(config, **purpose):
    found = find(config, for_data=False, **purpose)
    return {f.path: f"{f.problem}; {f.hint}" for f in found if f.is_error}


def _warnings(config, **purpose):
    found = find(config, for_data=False, **purpose)
    return {f.path: f"{f.problem}; {f.hint}" for f in found if not f.is_error}


@pytest.mark.parametrize("name", [SSD, FPN, FPN.replace("320x320", "640x640")])
def test_the_supported_configs_of_the_zoo_pass_with_warnings(shared, name):
    warnings = check(_zoo(shared, name), for_data=False)
    assert [f.path for f in warnings] == [
        "model.ssd.matcher.argmax_matcher.use_matmul_gather",
        "model.ssd.inplace_batchnorm_update",
        "train_config.sync_replicas",
        "train_config.startup_delay_steps",
        "train_config.replicas_to_aggregate",
        "train_config.unpad_groundtruth_tensors",
    ]
    assert {f.problem.partition(":")[0] for f in warnings} == {"has no effect"}


def test_every_other_config_of_the_zoo_is_refused_for_its_model(shared):
    for path in sorted((shared / "configs/tf2").glob("*.config")):
        config = load_config(path)
        if config.model.ssd.feature_extractor.type in choices.EXTRACTORS:
            assert not _errors(config), path.name
            continue
        kind = config.model.WhichOneof("model")
        if kind in ("center_net", "faster_rcnn"):
            assert not [p for p in _errors(config) if p.startswith("model")], path.name
            continue
        expected = f"model.{kind}"
        if kind == "ssd":
            expected = "model.ssd.feature_extractor.type"
        assert "not supported yet" in _errors(config)[expected], path.name


def test_options_that_the_original_does_not_read_for_resnet_have_no_effect(shared):
    path = "model.ssd.feature_extractor"
    config = _zoo(
        shared,
        "ssd_resnet50_v1_fpn_640x640_coco17_tpu-8",
        f"{path}.use_depthwise=true",
        f"{path}.use_explicit_padding=true",
    )
    warnings = _warnings(config)
    assert "has no effect" in warnings[f"{path}.use_depthwise"]
    assert "has no effect" in warnings[f"{path}.use_explicit_padding"]
    other = _zoo(shared, FPN, f"{path}.use_explicit_padding=true")
    assert not [p for p in _warnings(other) if p.startswith(path)]


def test_check_raises_the_first_error_and_names_the_others(shared):
    config = _zoo(shared, SSD, "train_config.num_steps=0", "train_config.batch_size=0")
    with pytest.raises(ConfigError) as error:
        check(config, for_data=False)
    assert error.value.place == "train_config.batch_size"
    assert "and train_config.num_steps: is 0: there is nothing" in str(error.value)


def test_without_training_its_fields_are_left_out(shared):
    config = _zoo(shared, SSD, "train_config.num_steps=0", "train_config.batch_size=0")
    warnings = check(config, for_training=False, for_data=False)
    assert not [f for f in warnings if f.path.startswith("train_config")]


@pytest.mark.parametrize(
    ("overrides", "path", "said"),
    [
        # What is not supported, with what is.
        (["model.ssd.feature_extractor.type=ssd_mobilenet_v2"],
         "model.ssd.feature_extractor.type",
         "is an extractor of TF1; its TF2 name is 'ssd_mobilenet_v2_keras'"),
        (["model.ssd.feature_extractor.type=ssd_inception_v2"],
         "model.ssd.feature_extractor.type", "is an extractor of TF1; supported are"),
        (["model.ssd.feature_extractor.type=ssd_mobilenet_v2_kers"],
         "model.ssd.feature_extractor.type", "did you mean 'ssd_mobilenet_v2_keras'?"),
        (["model.ssd.feature_extractor.type="],
         "model.ssd.feature_extractor.type", "is missing"),
        (["model.ssd.matcher={bipartite_matcher{}}"],
         "model.ssd.matcher.bipartite_matcher", "supported are argmax_matcher"),
        (["train_config.data_augmentation_options[0]={normalize_image{}}"],
         "train_config.data_augmentation_options[0].normalize_image",
         "original_minval 0 is not below original_maxval 0"),
        (["train_config.data_augmentation_options[0]={"
          "subtract_channel_mean{means: 3}}"],
         "train_config.data_augmentation_options[0].subtract_channel_mean.means",
         "has 1 value"),
        (["options.augmentations[0]={random_blur{max_kernel_size: 4}}"],
         "options.augmentations[0].random_blur.max_kernel_size", "is 4; allowed"),
        (["train_config.data_augmentation_options[0]={}"],
         "train_config.data_augmentation_options[0]", "is empty"),
        (["eval_config.metrics_set=pascal_voc_detection_metrics"],
         "eval_config.metrics_set[0]", "supported are coco_detection_metrics"),
        (["eval_config.metrics_set=coco_detection_metric"],
         "eval_config.metrics_set[0]", "did you mean 'coco_detection_metrics'?"),
        (["train_input_reader.frame_index=2"],
         "train_input_reader.frame_index", "only sequence examples have frames"),
        (["train_input_reader.load_context_features=true"],
         "train_input_reader.load_context_features", "the model has no context_config"),
        (["eval_input_reader[0].load_context_image_ids=true"],
         "eval_input_reader[0].load_context_image_ids", "needs load_context_features"),
        (["model.ssd.loss.expected_loss_weights=EXPECTED_SAMPLING"],
         "model.ssd.loss.expected_loss_weights", "not supported"),
        (["model="], "model", "is missing"),
        (["train_config="], "train_config", "is missing"),
        (["train_config.optimizer="], "train_config.optimizer", "is missing"),
        ([f"{RATE}="], RATE, "is missing"),
        (["model.ssd.loss.classification_loss={}"],
         "model.ssd.loss.classification_loss", "is empty; set one of weighted_sigmoid"),
        (["model.ssd.box_coder="], "model.ssd.box_coder", "is missing"),
        (["model.ssd.num_classes="], "model.ssd.num_classes", "is missing"),
        # Numbers.
        (["model.ssd.num_classes=0"], "model.ssd.num_classes", "is 0; allowed is 1 or"),
        (["train_config.batch_size=0"], "train_config.batch_size", "is 0"),
        (["train_config.num_steps=0"], "train_config.num_steps", "nothing to train"),
        ([f"{NMS}.iou_threshold=1.5"], f"{NMS}.iou_threshold", "allowed is 0 to 1"),
        ([f"{NMS}.score_threshold=nan"], f"{NMS}.score_threshold", "finite"),
        ([f"{NMS}.max_total_detections=0"], f"{NMS}.max_total_detections", "1 or more"),
        (["model.ssd.image_resizer={fixed_shape_resizer{height:0 width:9}}"],
         "model.ssd.image_resizer.fixed_shape_resizer.height", "allowed is 1 to 16384"),
        (["model.ssd.image_resizer={keep_aspect_ratio_resizer{min_dimension: 2000}}"],
         "model.ssd.image_resizer.keep_aspect_ratio_resizer",
         "min_dimension 2000 is above max_dimension 1024"),
        (["model.ssd.matcher.argmax_matcher.unmatched_threshold=0.7"],
         "model.ssd.matcher.argmax_matcher",
         "unmatched_threshold 0.7 is above matched_threshold 0.5"),
        (["train_config.data_augmentation_options[0].random_horizontal_flip"
          ".probability=1.5"],
         "train_config.data_augmentation_options[0].random_horizontal_flip.probability",
         "is 1.5; allowed is 0 to 1"),
        ([f"{ANCHORS}.ssd_anchor_generator.aspect_ratios[1]=0"],
         f"{ANCHORS}.ssd_anchor_generator.aspect_ratios[1]", "allowed is above 0"),
        ([f"{RATE}={{manual_step_learning_rate{{schedule{{step:1 "
          "learning_rate:-1}}}"],
         f"{RATE}.manual_step_learning_rate.schedule[0].learning_rate", "is -1"),
        # Parts that do not fit each other.
        ([f"{ANCHORS}.ssd_anchor_generator.num_layers=5"],
         f"{ANCHORS}.ssd_anchor_generator.num_layers",
         "is 5, but the feature extractor has 6 feature maps"),
        (["model.ssd.feature_extractor.num_layers=4"],
         f"{ANCHORS}.ssd_anchor_generator.num_layers", "has 4 feature maps"),
        ([f"{ANCHORS}.ssd_anchor_generator.scales=[0.1, 0.2]"],
         f"{ANCHORS}.ssd_anchor_generator.scales", "has 2 values for 6 layers"),
        ([f"{ANCHORS}={{grid_anchor_generator{{scales:1 aspect_ratios:1}}}}"],
         f"{ANCHORS}.grid_anchor_generator", "is for one feature map"),
        ([f"{ANCHORS}={{flexible_grid_anchor_generator{{anchor_grid{{}}}}}}"],
         f"{ANCHORS}.flexible_grid_anchor_generator.anchor_grid", "has 1 grids"),
        ([f"{ANCHORS}={{multiscale_anchor_generator{{aspect_ratios:1}}}}"],
         f"{ANCHORS}.multiscale_anchor_generator", "has 5 levels"),
        ([f"{ANCHORS}={{multiscale_anchor_generator{{}}}}"],
         f"{ANCHORS}.multiscale_anchor_generator.aspect_ratios", "no anchors"),
        (["model.ssd.box_coder={square_box_coder{}}"],
         "model.ssd.box_predictor.convolutional_box_predictor.box_code_size",
         "is 4, but codes of square_box_coder have 3 numbers"),
        (["model.ssd.loss.hard_example_miner={}"],
         "model.ssd.loss.hard_example_miner", "be used with weighted_sigmoid_focal"),
        (["model.ssd.loss.classification_loss={bootstrapped_sigmoid{}}"],
         "model.ssd.loss.classification_loss.bootstrapped_sigmoid.alpha", "is missing"),
        ([f"{NMS}.use_combined_nms=true", f"{NMS}.soft_nms_sigma=0.5"],
         f"{NMS}.use_combined_nms", "cannot be used with soft_nms_sigma"),
        (["model.ssd.post_processing.calibration_config={sigmoid_calibration{}}"],
         "model.ssd.post_processing.calibration_config.sigmoid_calibration",
         "supported are class_id_function_approximations, function_approximation,"),
        (["model.ssd.post_processing.calibration_config={function_approximation{"
          "x_y_pairs{x_y_pair{x:1 y:1}x_y_pair{x:0 y:0}}}}"],
         "model.ssd.post_processing.calibration_config.function_approximation",
         "in the order of x"),
        (["model.ssd.post_processing.calibration_config={"
          "class_id_function_approximations{class_id_xy_pairs_map{key:99 value{}}}}"],
         "model.ssd.post_processing.calibration_config."
         "class_id_function_approximations.class_id_xy_pairs_map[99]",
         "class ids are 0 to 90"),
        # Training.
        ([f"{COSINE}.warmup_steps=60000"], f"{COSINE}.total_steps", "less than"),
        ([f"{COSINE}.warmup_learning_rate=0.9"], f"{COSINE}.warmup_learning_rate",
         "0.9 is above learning_rate_base 0.8"),
        ([f"{RATE}={{manual_step_learning_rate{{schedule{{step:9}}schedule{{step:8}}}}"
          "}"],
         f"{RATE}.manual_step_learning_rate.schedule", "must increase"),
        (["train_config.freeze_variables=conv("],
         "train_config.freeze_variables[0]", "is not a regular expression"),
        (["train_config.fine_tune_checkpoint_type=detecton"],
         "train_config.fine_tune_checkpoint_type", "did you mean 'detection'?"),
        (["options.evaluation.best_metric=DetectionBoxes_Precision/map"],
         "options.evaluation.best_metric", "mean 'DetectionBoxes_Precision/mAP'?"),
        (["options.precision=AUTO", "options.deterministic=true"],
         "options.precision", "AUTO chooses by measured times"),
    ],
)  # fmt: skip
def test_errors_name_the_field_and_the_next_step(shared, overrides, path, said):
    errors = _errors(_zoo(shared, SSD, *overrides))
    assert said in errors.get(path, f"no error, but {errors}")


@pytest.mark.parametrize(
    ("overrides", "path", "said"),
    [
        (["train_config.batch_size=8"], f"{COSINE}.learning_rate_base",
         "0.8 is high for batches of 8: the zoo uses 0.8 with batches of 512; "
         f"scaled linearly: --set {COSINE}.learning_rate_base=0.0125"),
        ([f"{RATE}={{constant_learning_rate{{learning_rate: 0.5}}}}",
          "train_config.batch_size=4"],
         f"{RATE}.constant_learning_rate.learning_rate", "learning_rate=0.00625"),
        (["train_config.optimizer.adam_optimizer={learning_rate{"
          "constant_learning_rate{learning_rate:.1}}}"],
         "train_config.optimizer.adam_optimizer.learning_rate.constant_learning_rate"
         ".learning_rate", "is high for Adam"),
        (["train_config.num_steps=500"], f"{COSINE}.warmup_steps", "only 500 steps"),
        (["train_config.num_steps=60000"], f"{COSINE}.total_steps",
         "the training continues with rate 0"),
        (["train_config.num_steps=20000"], f"{COSINE}.total_steps", "ends early"),
        (["train_config.optimizer.use_moving_average="],
         "train_config.optimizer.use_moving_average", "the schema's default is true"),
        (["train_config.optimizer.use_moving_average=true"],
         "train_config.optimizer.use_moving_average", "uses the plain weights"),
        (["eval_config.use_moving_averages=true"],
         "eval_config.use_moving_averages", "has no effect"),
        (["train_config.num_steps=50"],
         "model.ssd.feature_extractor.conv_hyperparams.batch_norm.decay", "22% of the"),
        # 0.05 ** (1 / 10) is 0.741.
        (["train_config.num_steps=10",
          "model.ssd.feature_extractor.conv_hyperparams.batch_norm.decay=0.9"],
         "model.ssd.feature_extractor.conv_hyperparams.batch_norm.decay",
         "train longer, set a smaller decay, 0.74 or below"),
        (["train_config.fine_tune_checkpoint_version="],
         "train_config.fine_tune_checkpoint_version", "is V1 (its default)"),
        (["train_config.fine_tune_checkpoint_type="],
         "train_config.fine_tune_checkpoint_type", "'classification' is used"),
        (["train_config.fine_tune_checkpoint="],
         "train_config.fine_tune_checkpoint_type", "has no effect"),
        (["model.ssd.loss.classification_loss.weighted_sigmoid_focal.alpha="],
         "model.ssd.loss.classification_loss.weighted_sigmoid_focal.alpha", "usual is"),
        (["model.ssd.post_processing.score_converter=SOFTMAX"],
         "model.ssd.post_processing.score_converter", "is SOFTMAX, but the loss is"),
        (["model.ssd.feature_extractor.fpn={}"],
         "model.ssd.feature_extractor.fpn", "has no pyramid"),
        (["options.early_stopping.patience=3", "options.evaluation.every_n_steps=0"],
         "options.early_stopping.patience", "has no effect"),
        (["train_input_reader.num_epochs=3"],
         "train_input_reader.num_epochs", "ends after train_config.num_steps"),
        (["graph_rewriter={quantization{delay: 3}}"], "graph_rewriter", "TF1 trainers"),
    ],
)  # fmt: skip
def test_warnings_tell_what_will_not_go_as_thought(shared, overrides, path, said):
    warnings = _warnings(_zoo(shared, SSD, *overrides))
    assert said in warnings.get(path, f"no warning, but {warnings}")


def test_levels_of_anchors_must_be_those_of_the_pyramid(shared):
    config = _zoo(shared, FPN, f"{ANCHORS}.multiscale_anchor_generator.max_level=6")
    assert _errors(config) == {
        f"{ANCHORS}.multiscale_anchor_generator.max_level": "is 6, but "
        "feature_extractor.fpn.max_level is 7; anchors need the levels of the feature "
        "maps"
    }


@pytest.mark.parametrize(
    "override",
    [
        "train_input_reader.load_instance_masks=false",
        "train_input_reader.num_keypoints=0",
        "train_config.batch_queue_capacity=150",
        "eval_input_reader.num_epochs=1",
    ],
)
def test_a_default_that_is_written_asks_for_nothing(shared, override):
    before = find(_zoo(shared, FPN), for_data=False)
    assert find(_zoo(shared, FPN, override), for_data=False) == before


def test_every_row_of_the_tables_names_a_field():
    known = {schema.key(f) for f in _all_fields()}
    readers = {f"{r}.{k.partition('.')[2]}" for k in known for r in
               ("train_input_reader", "eval_input_reader")
               if k.startswith("InputReader.")}  # fmt: skip
    predictors = {f"model.{owner}.{k.partition('.')[2]}" for k in known for owner in
                  ("ssd.box_predictor", "faster_rcnn.second_stage_box_predictor")
                  if k.startswith("BoxPredictor.")}  # fmt: skip
    assert set(support.ROWS) <= known | readers | predictors
    assert set(choices.VALUES) <= known
    nested = {k.partition(".")[2] for k in known if k.count(".") == 2}
    assert set(ranges.RANGES) <= known | nested
    for message, pairs in ranges.ORDERED.items():
        assert {f"{message}.{name}" for pair in pairs for name in pair} <= known


def _all_fields():
    from odapi.config.reference import messages

    return [f for m in messages() for f in schema.fields(m).values()]


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("type: 'ssd_mobilenet_v2_keras'", 6),
        ("type: 'ssd_mobilenet_v2_keras' num_layers: 4", 4),
        ("type: 'ssd_mobilenet_v2_fpn_keras'", 5),
        ("type: 'ssd_mobilenet_v2_fpn_keras' fpn { min_level: 4 max_level: 6 }", 3),
        ("type: 'ssd_efficientnet-b0_bifpn_keras' bifpn { }", 5),
        ("type: 'ssd_efficientnet-b0_bifpn_keras'", 5),
    ],
)
def test_number_of_feature_maps(text, levels):
    config = load_config(f"model {{ ssd {{ feature_extractor {{ {text} }} }} }}")
    assert extractors.num_levels(config.model.ssd.feature_extractor) == levels


def test_slow_batch_norms_of_a_short_training_name_the_remedies(shared):
    short = ["train_config.num_steps=300"]
    found = _warnings(_zoo(shared, FPN, *short))
    (text,) = [t for p, t in found.items() if p.endswith("batch_norm.decay")]
    assert text == (
        "with 0.997, 41% of the batch statistics are still the initial ones after 300 "
        "steps; evaluation uses them; train longer, set a smaller decay, 0.99 or "
        "below, or re-estimate them for evaluation and export (also of a finished "
        "run): --set options.recalibrate_batch_norm=50"
    )
    on = [*short, "options.recalibrate_batch_norm=50"]
    assert not any(
        p.endswith("batch_norm.decay") for p in _warnings(_zoo(shared, FPN, *on))
    )
