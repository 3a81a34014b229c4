"""The heads of regions, from the text of a box predictor."""

import pytest
from google.protobuf import text_format

from odapi.build.anchors import build_anchors
from odapi.build.hyperparams import BuildContext
from odapi.build.rcnn_parts import build_rcnn_parts
from odapi.build.roi_heads import ThirdStage, build_roi_heads
from odapi.config.protos import box_predictor_pb2
from odapi.config.rules.registry import Part, require
from odapi.errors import ConfigError
from odapi.geometry.crop.roi_align import CropAndResize, RoiAlign
from odapi.heads.rfcn_head import RfcnOptions
from odapi.heads.roi_keypoints import RoiKeypointOptions
from odapi.heads.roi_masks import RoiMaskOptions
from small_models import small_config


def build(text, third=None, num_classes=3):
    message = text_format.Parse(text, box_predictor_pb2.BoxPredictor())
    return build_roi_heads(message, "p", num_classes, BuildContext(), third)


def test_boxes_as_written():
    heads = build(
        """mask_rcnn_box_predictor {
          box_code_size: 5 share_box_across_classes: true
          use_dropout: true dropout_keep_probability: 0.25
          fc_hyperparams { regularizer { l2_regularizer { weight: 0.5 } } }
        }"""
    )
    options = heads.boxes.options
    assert (options.code_size, options.num_boxes, options.dropout) == (5, 1, 0.75)
    heads.boxes.build((None, 1, 1, 2))
    assert len(heads.boxes.losses) == 2
    assert heads.tasks == ()


def test_masks_and_keypoints_as_written():
    third = ThirdStage(
        4.0, CropAndResize(zero_pad_border=True), max_rois=7, num_keypoints=5
    )
    masks, keypoints = build(
        """mask_rcnn_box_predictor {
          predict_instance_masks: true predict_keypoints: true
          mask_height: 28 mask_width: 14 mask_prediction_num_conv_layers: 4
          mask_prediction_conv_depth: 0 masks_are_class_agnostic: true
          convolve_then_upsample_masks: true
          conv_hyperparams { regularizer { l2_regularizer { weight: 0.5 } } }
        }""",
        third,
    ).tasks
    options = RoiMaskOptions(3, (28, 14), 4, 0, True, True)
    assert masks.head.options == options
    assert (masks.weight, masks.crop_method, masks.max_rois) == (
        4.0,
        third.crop_method,
        7,
    )
    assert masks.head.hyperparams.l2 == 0.25
    assert keypoints.head.options == RoiKeypointOptions(5)
    assert (keypoints.weight, keypoints.max_rois) == (1.0, 7)


def test_defaults_of_masks():
    (task,) = build(
        "mask_rcnn_box_predictor { predict_instance_masks: true }", ThirdStage()
    ).tasks
    assert task.head.options == RoiMaskOptions(3, (15, 15), 2, 256, False, False)


def test_only_a_third_stage_has_masks():
    text = "mask_rcnn_box_predictor { predict_instance_masks: true }"
    assert build(text).tasks == ()


def test_rfcn_as_written():
    head = build(
        """rfcn_box_predictor {
          num_spatial_bins_height: 2 num_spatial_bins_width: 4 depth: 16
          crop_height: 6 crop_width: 8 box_code_size: 5
        }"""
    ).boxes
    assert head.options == RfcnOptions(3, (2, 4), (6, 8), 16, 5)
    defaults = build("rfcn_box_predictor { }").boxes.options
    assert defaults == RfcnOptions(3, (3, 3), (12, 12), 1024, 4)


_PREDICTOR = "model.faster_rcnn.second_stage_box_predictor"


@pytest.mark.parametrize(
    ("text", "path", "hint"),
    [
        (
            "mask_rcnn_box_predictor { }",
            "mask_rcnn_box_predictor",
            "number_of_stages: 2",
        ),
        ("rfcn_box_predictor { }", "rfcn_box_predictor", "number_of_stages: 2"),
        (
            "mask_rcnn_box_predictor { predict_keypoints: true }",
            "mask_rcnn_box_predictor.predict_keypoints",
            "num_keypoints",
        ),
        (
            "mask_rcnn_box_predictor { predict_instance_masks: true mask_height: 0 }",
            "mask_rcnn_box_predictor.mask_height",
            "allowed is 1",
        ),
        (
            "mask_rcnn_box_predictor { box_code_size: 5 }",
            "mask_rcnn_box_predictor.box_code_size",
            "have 4 numbers",
        ),
    ],
)
def test_what_a_third_stage_refuses(text, path, hint):
    stages = "model.faster_rcnn.number_of_stages=3"
    config = small_config("rcnn", stages, f"{_PREDICTOR}={{{text}}}")
    with pytest.raises(ConfigError) as caught:
        require(config, Part.MODEL)
    assert f"{_PREDICTOR}.{path}: " in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "p"),
        ("convolutional_box_predictor {}", "p"),
        (
            "mask_rcnn_box_predictor { dropout_keep_probability: 0 }",
            "p.mask_rcnn_box_predictor.dropout_keep_probability",
        ),
        (
            "mask_rcnn_box_predictor { box_code_size: 0 }",
            "p.mask_rcnn_box_predictor.box_code_size",
        ),
        ("rfcn_box_predictor { crop_width: 7 }", "p.rfcn_box_predictor.crop_width"),
    ],
)
def test_what_is_refused(text, path):
    with pytest.raises(ConfigError, match=f"^{path}: "):
        build(text)


@pytest.mark.parametrize(
    ("settings", "method"),
    [
        ((), CropAndResize()),
        (("model.faster_rcnn.use_matmul_crop_and_resize=true",), CropAndResize(True)),
        (("options.roi_align=true",), RoiAlign()),
    ],
)
def test_how_regions_are_cut(settings, method):
    config = small_config("rcnn", *settings)
    rcnn = config.model.faster_rcnn
    anchors = build_anchors(rcnn.first_stage_anchor_generator, "p")
    assert build_rcnn_parts(rcnn, "p", config, anchors).pooler.method == method
