"""Overrides set what they name, and refuse what they cannot."""

import pytest

from odapi.config.load import load_config, options
from odapi.errors import ConfigError

TEXT = """
model { ssd { num_classes: 90 image_resizer { keep_aspect_ratio_resizer { } } } }
train_config {
  batch_size: 64
  data_augmentation_options { random_horizontal_flip { } }
  data_augmentation_options { random_adjust_hue { } }
  optimizer { momentum_optimizer { learning_rate { constant_learning_rate { } } } }
}
eval_config { super_categories { key: "pet" value: "cat" } }
eval_input_reader { tf_record_input_reader { input_path: "a" input_path: "b" } }
"""
STEPS = "train_config.data_augmentation_options"
RECORDS = "eval_input_reader.tf_record_input_reader.input_path"


def _load(*overrides):
    return load_config(TEXT, overrides)


@pytest.mark.parametrize(
    ("override", "get", "expected"),
    [
        ("train_config.batch_size=8", lambda c: c.train_config.batch_size, 8),
        ("train_config.batch_size=0x10", lambda c: c.train_config.batch_size, 16),
        ("train_config.batch_size = 8 ", lambda c: c.train_config.batch_size, 8),
        ("train_config.sync_replicas=True", lambda c: c.train_config.sync_replicas, 1),
        ("train_config.gradient_clipping_by_norm=1e1",
         lambda c: c.train_config.gradient_clipping_by_norm, 10),
        ("train_config.fine_tune_checkpoint=C:\\data\\new",
         lambda c: c.train_config.fine_tune_checkpoint, "C:\\data\\new"),
        ("train_config.fine_tune_checkpoint='a=b c'",
         lambda c: c.train_config.fine_tune_checkpoint, "a=b c"),
        ("model.ssd.post_processing.score_converter=SIGMOID",
         lambda c: c.model.ssd.post_processing.score_converter, 1),
        ("model.ssd.post_processing.score_converter=softmax",
         lambda c: c.model.ssd.post_processing.score_converter, 2),
        ("model.ssd.post_processing.score_converter=1",
         lambda c: c.model.ssd.post_processing.score_converter, 1),
        ("options.seed=3", lambda c: options(c).seed, 3),
        ("[odapi.options].seed=3", lambda c: options(c).seed, 3),
        ("options.early_stopping.patience=3",
         lambda c: options(c).early_stopping.patience, 3),
        ("options={seed: 3}", lambda c: options(c).seed, 3),
        # Messages by text, with braces or without.
        ("model.ssd.image_resizer={fixed_shape_resizer{height:320 width:320}}",
         lambda c: c.model.ssd.image_resizer.fixed_shape_resizer.width, 320),
        ("model.ssd.image_resizer=fixed_shape_resizer { width: 200 }",
         lambda c: c.model.ssd.image_resizer.fixed_shape_resizer.width, 200),
        # Elements of repeated fields.
        (f"{STEPS}[1]={{random_adjust_contrast {{ }} }}",
         lambda c: [s.WhichOneof("preprocessing_step")
                    for s in c.train_config.data_augmentation_options],
         ["random_horizontal_flip", "random_adjust_contrast"]),
        (f"{STEPS}.0.random_horizontal_flip.probability=0.25",
         lambda c: c.train_config.data_augmentation_options[0]
         .random_horizontal_flip.probability, 0.25),
        (f"{STEPS}[-1].random_adjust_hue.max_delta=0.5",
         lambda c: c.train_config.data_augmentation_options[1]
         .random_adjust_hue.max_delta, 0.5),
        (f"{STEPS}[2].random_adjust_saturation={{}}",
         lambda c: len(c.train_config.data_augmentation_options), 3),
        (f"{RECORDS}[1]=c",
         lambda c: c.eval_input_reader[0].tf_record_input_reader.input_path,
         ["a", "c"]),
        (f"{RECORDS}[2]=c",
         lambda c: c.eval_input_reader[0].tf_record_input_reader.input_path,
         ["a", "b", "c"]),
        (f"{RECORDS}=c",
         lambda c: c.eval_input_reader[0].tf_record_input_reader.input_path, ["c"]),
        (f"{RECORDS}=[c, 'd e']",
         lambda c: c.eval_input_reader[0].tf_record_input_reader.input_path,
         ["c", "d e"]),
        ("model.ssd.anchor_generator.ssd_anchor_generator.aspect_ratios=[1, 2, 0.5]",
         lambda c: c.model.ssd.anchor_generator.ssd_anchor_generator.aspect_ratios,
         [1, 2, 0.5]),
        (f"{STEPS}=[{{random_adjust_hue {{}} }}, {{random_adjust_contrast {{}} }}]",
         lambda c: len(c.train_config.data_augmentation_options), 2),
        ("eval_input_reader.shuffle=false",
         lambda c: c.eval_input_reader[0].shuffle, False),
        # Maps.
        ("eval_config.super_categories[vehicle]=car,bus",
         lambda c: dict(c.eval_config.super_categories),
         {"pet": "cat", "vehicle": "car,bus"}),
        ("eval_config.super_categories.pet=dog",
         lambda c: dict(c.eval_config.super_categories), {"pet": "dog"}),
    ],
)  # fmt: skip
def test_override_sets_the_value(override, get, expected):
    assert get(_load(override)) == expected


@pytest.mark.parametrize(
    ("override", "is_cleared"),
    [
        ("train_config.batch_size=",
         lambda c: not c.train_config.HasField("batch_size")),
        ("model=", lambda c: not c.HasField("model")),
        (f"{STEPS}=", lambda c: not c.train_config.data_augmentation_options),
        (f"{STEPS}[0]=", lambda c: len(c.train_config.data_augmentation_options) == 1),
        (f"{RECORDS}[0]=",
         lambda c: c.eval_input_reader[0].tf_record_input_reader.input_path == ["b"]),
        ("eval_config.super_categories=", lambda c: not c.eval_config.super_categories),
        ("eval_config.super_categories[pet]=",
         lambda c: not c.eval_config.super_categories),
        ("eval_input_reader=", lambda c: not c.eval_input_reader),
    ],
)  # fmt: skip
def test_an_empty_value_clears(override, is_cleared):
    assert is_cleared(_load(override))


def test_overrides_apply_in_order():
    config = _load(
        "train_config.optimizer.adam_optimizer={}",
        "train_config.optimizer.adam_optimizer.epsilon=1e-7",
    )
    assert config.train_config.optimizer.WhichOneof("optimizer") == "adam_optimizer"
    assert config.train_config.optimizer.adam_optimizer.epsilon == pytest.approx(1e-7)


def test_setting_a_whole_member_switches_a_oneof():
    config = _load("model.ssd.image_resizer.fixed_shape_resizer={height: 100}")
    resizer = config.model.ssd.image_resizer
    assert resizer.WhichOneof("image_resizer_oneof") == "fixed_shape_resizer"


def test_a_config_of_overrides_alone_is_built_up():
    config = load_config("# nothing\n", ["train_config.batch_size=2"])
    assert config.train_config.batch_size == 2


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("train_config.batch_sze=8", "did you mean 'batch_size'?"),
        ("batch_size=8", "there is train_config.batch_size and eval_config.batch_size"),
        ("trainconfig.batch_size=8", "did you mean 'train_config'?"),
        ("options.sed=8", "did you mean 'seed'?"),
        ("train_config.optimizer.foo=1", "its fields are adam_optimizer, momentum_opt"),
        ("train_config.batch_size=8.5", "takes a whole number, 0 or more, got '8.5'"),
        ("train_config.batch_size=-8", "takes a whole number, 0 or more, got '-8'"),
        ("train_config.batch_size=4294967296", "takes a whole number"),
        ("train_config.sync_replicas=yes", "takes true or false, got 'yes'"),
        ("train_config.gradient_clipping_by_norm=a", "takes a number, got 'a'"),
        (
            "model.ssd.post_processing.score_converter=SIGMOD",
            "known values are IDENTITY, SIGMOID, SOFTMAX\n  hint: did you mean 'SIGM",
        ),
        ("model.ssd.image_resizer={fixed_shape_resizr{}}", "'fixed_shape_resizer'?"),
        ("model.ssd.num_classes.x=3", "it has no parts"),
        (f"{STEPS}[3].random_adjust_hue={{}}", "there is no [3]"),
        (f"{STEPS}.random_adjust_hue={{}}", "is a list of 2; which one is meant?"),
        (f"{RECORDS}[7]=a", "[0] to [1] change one, [2] appends one"),
        (f"{RECORDS}[0].x=a", "input_path[0] takes text"),
        (f"{RECORDS}=[a", "has no closing bracket"),
        ("eval_config.super_categories=a", "set one entry"),
        ("train_config.batch_size", "has no '='"),
        ("=3", "is not a path"),
        ("a..b=3", "is not a path"),
        # Protobuf alone would drop the whole model here.
        (
            "model.faster_rcnn.num_classes=3",
            "ssd is set, which faster_rcnn excludes\n  hint: to switch, set the whole "
            "block: --set 'model.faster_rcnn={ ... }'",
        ),
    ],
)
def test_overrides_that_do_not_fit_are_refused(override, problem):
    with pytest.raises(ConfigError) as error:
        _load(override)
    assert str(error.value).startswith(f"--set {override}:")
    assert problem in str(error.value)
