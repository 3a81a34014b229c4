"""Two-stage detectors, small enough to build in a second."""

import dataclasses
import functools

from odapi.backbones import resnet, table
from odapi.config.load import load_config
from small_models import SIZE

_WIDTH = 0.0625
_HYPERPARAMS = """
  regularizer { l2_regularizer { weight: 0.0001 } }
  initializer { variance_scaling_initializer { factor: 2.0 } }
"""
_NORM = "batch_norm { scale: true decay: 0.5 epsilon: 0.001 }"
_C4 = """
  feature_extractor { type: "faster_rcnn_resnet50_keras" batch_norm_trainable: true }
  first_stage_anchor_generator { grid_anchor_generator {
    scales: [0.125, 0.25] aspect_ratios: [0.5, 1.0, 2.0]
    height_stride: 16 width_stride: 16
  } }
  initial_crop_size: 6 maxpool_kernel_size: 2 maxpool_stride: 2
"""
_FPN = f"""
  feature_extractor {{
    type: "faster_rcnn_resnet50_fpn_keras" batch_norm_trainable: true
    conv_hyperparams {{ activation: RELU_6 {_HYPERPARAMS} {_NORM} }}
    override_base_feature_extractor_hyperparams: true
    fpn {{ min_level: 2 max_level: 6 additional_layer_depth: 16 }}
  }}
  first_stage_anchor_generator {{ multiscale_anchor_generator {{
    min_level: 2 max_level: 6 anchor_scale: 4.0 aspect_ratios: [1.0, 2.0, 0.5]
    scales_per_octave: 1 normalize_coordinates: false
  }} }}
  initial_crop_size: 4 maxpool_kernel_size: 1 maxpool_stride: 1
"""
_REST = f"""
  num_classes: 2
  image_resizer {{ fixed_shape_resizer {{ height: {SIZE} width: {SIZE} }} }}
  first_stage_box_predictor_conv_hyperparams {{ op: CONV {_HYPERPARAMS} }}
  first_stage_box_predictor_depth: 16
  first_stage_nms_iou_threshold: 0.7
  first_stage_max_proposals: 12
  second_stage_batch_size: 8
  second_stage_box_predictor {{ mask_rcnn_box_predictor {{
    fc_hyperparams {{ op: FC {_HYPERPARAMS} }}
  }} }}
  second_stage_post_processing {{
    batch_non_max_suppression {{
      iou_threshold: 0.6 max_detections_per_class: 5 max_total_detections: 8
    }}
    score_converter: SOFTMAX
  }}
"""
FAMILIES = {"c4": _C4, "pyramid": _FPN}


def small_rcnn(family: str, *overrides: str):
    """Returns the config of a small detector of a family: a key of `FAMILIES`.

    It is small where `narrow` is called before.
    """
    text = f"model {{ faster_rcnn {{ {FAMILIES[family]} {_REST} }} }}"
    return load_config(text, overrides)


def narrow(monkeypatch) -> None:
    """Gives the ResNet-50 of two-stage detectors few channels.

    Their configs cannot: the original has no such option.
    """
    rows = table.RCNN_EXTRACTORS
    for kind, field, make in _MADE:
        name = f"faster_rcnn_resnet50{kind}_keras"
        part = {field: functools.partial(make, 50, width=_WIDTH)}
        monkeypatch.setitem(rows, name, dataclasses.replace(rows[name], **part))


_MADE = (("", "halves", resnet.resnet_halves), ("_fpn", "backbone", resnet.resnet))
