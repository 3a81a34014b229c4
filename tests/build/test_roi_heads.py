"""The heads of regions, from the text of a box predictor."""

import pytest
from google.protobuf import text_format

from odapi.build.hyperparams import Setting
from odapi.build.roi_heads import build_roi_heads
from odapi.config.protos import box_predictor_pb2
from odapi.errors import ConfigError


def build(text, num_classes=3):
    message = text_format.Parse(text, box_predictor_pb2.BoxPredictor())
    return build_roi_heads(message, "p", num_classes, Setting())


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


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "p"),
        ("convolutional_box_predictor {}", "p"),
        (
            "mask_rcnn_box_predictor { dropout_keep_probability: 0 }",
            "p.mask_rcnn_box_predictor.dropout_keep_probability",
        ),
        ("mask_rcnn_box_predictor { box_code_size: 0 }", "p.mask_rcnn_box_predictor"),
    ],
)
def test_what_is_refused(text, path):
    with pytest.raises(ConfigError, match=f"^{path}: "):
        build(text)
