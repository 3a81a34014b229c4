"""Searched fields are checked against the config, with both ends of their ranges."""

import pytest

from odapi.config.load import load_config
from odapi.errors import ConfigError
from odapi.tuning import field_reads
from odapi.tuning.field_reads import check_reads
from odapi.tuning.search_space import parse_space
from odapi.tuning.space_checks import check_space
from tiny_data import write_coco
from tiny_samples import train_config

RATE = "train_config.optimizer.momentum_optimizer.learning_rate"
COSINE = f"{RATE}.cosine_decay_learning_rate"


@pytest.fixture
def config(tmp_path):
    spec = write_coco(tmp_path)
    data = [f"options.train_data={spec}", f"options.eval_data={spec}"]
    return train_config("fpn", *data)


@pytest.mark.parametrize(
    "text",
    [
        f"{RATE}.constant_learning_rate.learning_rate=log(1e-4, 1e-2)",
        "train_config.batch_size=choice(1, 2)",
        "train_config.batch_size=int(1, 4)",
        "model.ssd.image_resizer.fixed_shape_resizer.height,"
        "model.ssd.image_resizer.fixed_shape_resizer.width=choice(32, 64)",
        "model.ssd.freeze_batchnorm=choice(true, false)",
        "model.ssd.loss.classification_loss.weighted_sigmoid_focal.gamma=uniform(0, 3)",
        "train_config.data_augmentation_options[0]="
        "choice(random_horizontal_flip {}, random_vertical_flip {})",
        "train_config.optimizer.use_moving_average,eval_config.use_moving_averages="
        "choice(true, false)",
    ],
)
def test_fields_with_an_effect_are_accepted(config, text):
    check_space(config, parse_space([text]))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("model.ssd.num_clases=int(1, 3)", "Ssd has no field 'num_clases'"),
        ("model.faster_rcnn.num_classes=int(1, 3)",
         "ssd is set, which faster_rcnn excludes"),
        ("train_config.optimizer.adam_optimizer.epsilon=log(1e-9, 1e-3)",
         "momentum_optimizer is set, which adam_optimizer excludes"),
        ("train_config.batch_size=uniform(1, 8)",
         "batch_size takes a whole number, 0 or more, got '3.674'"),
        ("train_config.batch_size=int(0, 8)",
         "0 is refused: train_config.batch_size: is 0; allowed is 1 or more"),
        ("model.ssd.loss.classification_loss.weighted_sigmoid_focal.alpha="
         "uniform(0.2, 1.5)", "1.5 is refused: "),
        ("train_config.optimizer.momentum_optimizer.momentum_optimizer_value="
         "choice(0.9, fast)", "momentum_optimizer_value takes a number, got 'fast'"),
        ("train_input_reader.shuffle_buffer_size=int(1, 100)",
         "with this config, train_input_reader.shuffle_buffer_size has no effect"),
        ("train_config.use_bfloat16=choice(true, false)",
         "with this config, train_config.use_bfloat16 has no effect"),
        ("eval_config.use_moving_averages=choice(true, false)",
         "with this config, eval_config.use_moving_averages has no effect: train_conf"),
        ("options.eval_data=choice(coco:a, coco:b)",
         "options.eval_data changes how trials are measured"),
        ("eval_config.batch_size=int(1, 4)",
         "eval_config.batch_size changes how trials are measured"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(config, text, problem):
    with pytest.raises(ConfigError) as caught:
        check_space(config, parse_space([text]))
    assert caught.value.place == f"--search {parse_space([text])[0].text}"
    assert caught.value.problem.startswith(problem)


def test_a_value_may_need_that_of_another_searched_field(config):
    cosine = "{ learning_rate_base: 0.01 total_steps: 2 warmup_learning_rate: 0.005 }"
    config = load_config(
        config,
        [
            f"{RATE}={{ cosine_decay_learning_rate {cosine} }}",
            f"{COSINE}.warmup_steps=1",
        ],
    )
    base = f"{COSINE}.learning_rate_base=log(1e-3, 1e-1)"
    with pytest.raises(ConfigError, match=r"0\.001 is refused: .*warmup_learning_rate"):
        check_space(config, parse_space([base]))
    warmup = f"{COSINE}.warmup_learning_rate=log(1e-5, 1e-3)"
    check_space(config, parse_space([base, warmup]))


def test_an_error_of_the_config_is_not_one_of_the_search(config):
    config.model.ssd.num_classes = 0
    space = parse_space(["train_config.batch_size=int(1, 2)"])
    with pytest.raises(ConfigError) as caught:
        check_space(config, space)
    assert caught.value.place == "model.ssd.num_classes"


def test_a_config_may_lack_what_is_searched(config):
    config.train_config.num_steps = 0
    check_space(config, parse_space(["train_config.num_steps=choice(10, 20)"]))


ALIVE = "model.ssd.feature_extractor.fpn.additional_layer_depth=choice(8, 16)"


@pytest.mark.parametrize(
    ("read", "text", "problem"),
    [
        (["FeaturePyramidNetworks.additional_layer_depth"], ALIVE, None),
        (["FeaturePyramidNetworks.min_level"], ALIVE, "has no effect: nothing reads"),
        ([], "train_config.batch_size=int(1, 2)", None),  # Not of the model.
    ],
)
def test_fields_that_building_does_not_read_are_refused(
    config, monkeypatch, read, text, problem
):
    monkeypatch.setattr(field_reads, "_reads", lambda configs, with_model: read)
    if problem is None:
        check_reads(config, parse_space([text]))
        return
    with pytest.raises(ConfigError, match=problem):
        check_reads(config, parse_space([text]))


def test_the_fields_that_a_model_reads(config):
    made = field_reads._build([str(config)] * 2, with_model=True)
    assert "FeaturePyramidNetworks.additional_layer_depth" in made["read"]
    assert "MomentumOptimizer.momentum_optimizer_value" in made["read"]
    assert "BidirectionalFeaturePyramidNetworks.num_iterations" not in made["read"]
    assert "AdamOptimizer.epsilon" not in made["read"]
