"""Tasks about individuals, from their messages."""

import pytest

from odapi.build.center_people import build_densepose, build_temporal, build_track
from odapi.build.detector import build_detector
from odapi.build.hyperparams import BuildContext
from odapi.config.load import load_config
from odapi.errors import ConfigError
from odapi.losses.boxes import L1Loss
from odapi.losses.classification import SoftmaxLoss
from odapi.zoo.names.detector_keys import detector_keys

SOFTMAX = "classification_loss { weighted_softmax { } }"
L1 = "localization_loss { l1_localization_loss { } }"
MASKS = "mask_estimation_task { classification_loss { weighted_sigmoid { } } }"
MODEL = """
  num_classes: 2
  image_resizer { fixed_shape_resizer { height: 64 width: 64 } }
  feature_extractor { type: "hourglass_10" }
  object_center_params { classification_loss {
    penalty_reduced_logistic_focal_loss { alpha: 2 beta: 4 } } }
  object_detection_task { localization_loss { l1_localization_loss { } } }
"""


def _config(text):
    return load_config(f"model {{ center_net {{ {MODEL} {text} }} }}", [])


def _build(builder, name, text, others=MASKS):
    center_net = _config(f"{name} {{ {text} }} {others}").model.center_net
    return builder(getattr(center_net, name), name, center_net, BuildContext(seed=3))


def test_track():
    text = f"num_track_ids: 7 reid_embed_size: 5 num_fc_layers: 2 {SOFTMAX}"
    task = _build(build_track, "track_estimation_task", text + " task_loss_weight: 0.5")
    assert (task.loss, task.weight) == (SoftmaxLoss(), 0.5)
    (head,) = task.heads
    assert (head.name, head.channels) == ("track/reid", 5)
    shapes = {w.path.rpartition("/")[2]: tuple(w.shape) for w in task.layers[0].weights}
    assert shapes["kernel"] == (5, 7)
    assert len(task.layers[0].dense) == 1


def test_temporal_offset():
    text = f"task_loss_weight: 0.25 {L1}"
    task = _build(build_temporal, "temporal_offset_task", text)
    assert (task.loss, task.weight) == (L1Loss(), 0.25)


def test_densepose():
    text = f"""
      class_id: 1 num_parts: 3 task_loss_weight: 2 part_loss_weight: 3
      coordinate_loss_weight: 4 upsample_to_input_res: false heatmap_bias_init: -1
      loss {{ {SOFTMAX} {L1} }}
    """
    task = _build(build_densepose, "densepose_estimation_task", text)
    assert (task.class_id, task.full_resolution) == (1, False)
    assert (task.weight, task.part_weight, task.surface_weight) == (2.0, 3.0, 4.0)
    assert [(h.channels, h.bias) for h in task.heads] == [(3, -1.0), (6, None)]


@pytest.mark.parametrize(
    ("builder", "name", "text", "others", "words"),
    [
        (build_track, "track_estimation_task", SOFTMAX, "", "num_track_ids"),
        (build_track, "track_estimation_task", "num_track_ids: 2", "", "loss"),
        (
            build_track,
            "track_estimation_task",
            f"num_track_ids: 2 num_fc_layers: 0 {SOFTMAX}",
            "",
            "num_fc_layers",
        ),
        (build_temporal, "temporal_offset_task", "", "", "localization_loss"),
    ],
)
def test_what_is_missing_is_said(builder, name, text, others, words):
    with pytest.raises((ConfigError, ValueError), match=words):
        _build(builder, name, text, others)


@pytest.mark.parametrize(
    ("text", "others", "words"),
    [
        (f"class_id: 2 loss {{ {SOFTMAX} {L1} }}", MASKS, "class_id: is 2"),
        (f"loss {{ {SOFTMAX} {L1} }}", "", "set mask_estimation_task"),
    ],
)
def test_densepose_needs_masks_and_one_of_the_classes(text, others, words):
    config = _config(f"densepose_estimation_task {{ {text} }} {others}")
    with pytest.raises(ConfigError, match=words):
        build_detector(config)


def test_a_detector_with_all_of_them_has_the_keys_of_the_original():
    config = _config(
        f"""
        {MASKS}
        densepose_estimation_task {{ num_parts: 2 loss {{ {SOFTMAX} {L1} }} }}
        track_estimation_task {{ num_track_ids: 3 num_fc_layers: 2 {SOFTMAX} }}
        temporal_offset_task {{ {L1} }}
        """
    )
    detector = build_detector(config)
    keys = detector_keys(detector)
    assert set(keys) == set(detector.named_variables())
    assert len(set(keys.values())) == len(keys)
    root = "model/track_reid_classification_net/layer_with_weights-"
    assert keys["track_classifier/fc_0/kernel"] == f"{root}0/kernel"
    assert keys["track_classifier/fc_0_norm/moving_mean"] == f"{root}1/moving_mean"
    assert keys["track_classifier/predict/bias"] == f"{root}2/bias"
    names = [*detector.loss_trackers]
    assert names[-5:-1] == [
        "Loss/densepose/heatmap", "Loss/densepose/regression", "Loss/track/reid",
        "Loss/track/offset",
    ]  # fmt: skip
