"""Views of messages read floats as they were written, and nothing else changes."""

import pytest

from odapi.config.load import load_config, options
from odapi.config.view import View, record_reads, view

TEXT = """
model {
  ssd {
    num_classes: 3
    anchor_generator { ssd_anchor_generator { scales: [0.1, 0.3333] num_layers: 2 } }
    post_processing {
      calibration_config {
        class_id_function_approximations {
          class_id_xy_pairs_map { key: 2 value { x_y_pairs { x: 0.7 y: 0.2 } } }
        }
      }
    }
  }
}
train_config {
  bias_grad_multiplier: 0.3
  data_augmentation_options { random_horizontal_flip { probability: 0.7 } }
}
[odapi.options] { batch_norm_decay: 0.97 }
""".replace("x_y_pairs {", "x_y_pair {")


@pytest.fixture
def config():
    return load_config(TEXT)


def test_floats_read_as_written(config):
    seen = view(config)
    assert config.train_config.bias_grad_multiplier != 0.3
    assert seen.train_config.bias_grad_multiplier == 0.3
    assert seen.model.ssd.anchor_generator.ssd_anchor_generator.scales == (0.1, 0.3333)
    step = seen.train_config.data_augmentation_options[0]
    assert step.random_horizontal_flip.probability == 0.7
    assert options(seen).batch_norm_decay == 0.97
    calibration = seen.model.ssd.post_processing.calibration_config
    functions = calibration.class_id_function_approximations.class_id_xy_pairs_map
    assert {k: v.x_y_pair[0].x for k, v in functions.items()} == {2: 0.7}


@pytest.mark.parametrize("value", [0.0, 1.0, -2.5, 1e-30, 3e38, float("inf")])
def test_floats_that_are_exact_stay_exact(config, value):
    config.train_config.bias_grad_multiplier = value
    own = config.train_config.bias_grad_multiplier
    assert view(config.train_config).bias_grad_multiplier == pytest.approx(own, 1e-7)


def test_presence_oneofs_and_enums_are_those_of_the_message(config):
    seen = view(config)
    assert seen.HasField("model")
    assert not seen.HasField("eval_config")
    assert seen.model.WhichOneof("model") == "ssd"
    assert seen.model.ssd.post_processing.enum_name("score_converter") == "identity"
    assert seen.model.ssd.post_processing.SIGMOID == 1
    assert seen.DESCRIPTOR is config.DESCRIPTOR


def test_a_view_cannot_be_changed_and_a_copy_leaves_the_message_alone(config):
    ssd = view(config.model.ssd)
    with pytest.raises(AttributeError, match="read-only"):
        ssd.num_classes = 4
    assert not ssd.without("num_classes").HasField("num_classes")
    assert config.model.ssd.num_classes == 3


def test_a_view_of_a_view_is_itself_and_none_stays_none(config):
    seen = view(config)
    assert isinstance(seen, View)
    assert view(seen) is seen
    assert view(None) is None


def test_reads_are_recorded_by_message_and_field(config):
    seen = view(config)
    with record_reads() as names:
        assert seen.model.ssd.num_classes == 3
        assert not seen.HasField("eval_config")
    assert names == {
        "TrainEvalPipelineConfig.model",
        "DetectionModel.ssd",
        "Ssd.num_classes",
        "TrainEvalPipelineConfig.eval_config",
    }
