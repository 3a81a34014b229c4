"""Detectors of all families, small enough to build in a second."""

import numpy as np

from odapi.config.load import load_config

_HYPERPARAMS = """
  activation: RELU_6
  regularizer { l2_regularizer { weight: 0.0001 } }
  initializer { variance_scaling_initializer { factor: 2.0 } }
  batch_norm { scale: true decay: 0.5 epsilon: 0.001 }
"""
_EXTRACTOR = f"""
  depth_multiplier: 0.25 min_depth: 8 use_depthwise: true
  conv_hyperparams {{ {_HYPERPARAMS} }}
  override_base_feature_extractor_hyperparams: true
"""
_SSD = f"""
  feature_extractor {{ type: "ssd_mobilenet_v2_keras" num_layers: 3 {_EXTRACTOR} }}
  anchor_generator {{
    ssd_anchor_generator {{ num_layers: 3 aspect_ratios: 1.0 aspect_ratios: 2.0 }}
  }}
  box_predictor {{ convolutional_box_predictor {{
    conv_hyperparams {{ {_HYPERPARAMS} }} use_dropout: false kernel_size: 3
    class_prediction_bias_init: -2.0
  }} }}
"""
_FPN = f"""
  feature_extractor {{
    type: "ssd_mobilenet_v2_fpn_keras" {_EXTRACTOR}
    fpn {{ min_level: 4 max_level: 6 additional_layer_depth: 32 }}
  }}
  anchor_generator {{ multiscale_anchor_generator {{
    min_level: 4 max_level: 6 aspect_ratios: [1.0, 2.0] scales_per_octave: 1
  }} }}
  box_predictor {{ weight_shared_convolutional_box_predictor {{
    conv_hyperparams {{ {_HYPERPARAMS} }} depth: 16 num_layers_before_predictor: 1
    kernel_size: 3 use_depthwise: true share_prediction_tower: true
    class_prediction_bias_init: -2.0
  }} }}
"""
# An EfficientNet has one width, so it is kept small by having few levels.
_BIFPN = f"""
  feature_extractor {{
    type: "ssd_efficientnet-b0_bifpn_keras"
    conv_hyperparams {{ {_HYPERPARAMS} force_use_bias: true }}
    bifpn {{ min_level: 3 max_level: 4 num_iterations: 1 num_filters: 16 }}
  }}
  anchor_generator {{ multiscale_anchor_generator {{
    min_level: 3 max_level: 4 aspect_ratios: 1.0 scales_per_octave: 1
  }} }}
  box_predictor {{ weight_shared_convolutional_box_predictor {{
    conv_hyperparams {{ {_HYPERPARAMS} force_use_bias: true }} depth: 16
    num_layers_before_predictor: 1 kernel_size: 3 use_depthwise: true
    class_prediction_bias_init: -2.0
  }} }}
  add_background_class: false
"""
_REST = """
  num_classes: 2
  image_resizer { fixed_shape_resizer { height: 64 width: 64 } }
  box_coder { faster_rcnn_box_coder { } }
  matcher { argmax_matcher { force_match_for_each_row: true } }
  similarity_calculator { iou_similarity { } }
  encode_background_as_zeros: true
  normalize_loc_loss_by_codesize: true
  loss {
    classification_loss { weighted_sigmoid_focal { alpha: 0.25 gamma: 2.0 } }
    localization_loss { weighted_smooth_l1 { } }
  }
  post_processing {
    batch_non_max_suppression {
      score_threshold: 0.01 max_detections_per_class: 5 max_total_detections: 8
    }
    score_converter: SIGMOID
  }
"""
_RETINA = (
    _FPN.replace("ssd_mobilenet_v2_fpn_keras", "ssd_resnet50_v1_fpn_keras")
    .replace("use_depthwise: true", "")
    .replace("depth_multiplier: 0.25", "depth_multiplier: 0.125")
)
# Without shortcuts and before any training, signals only last in such wide weights.
_MOBILENET = (
    _FPN.replace("mobilenet_v2", "mobilenet_v1")
    .replace("depth_multiplier: 0.25", "depth_multiplier: 0.5")
    .replace(
        "variance_scaling_initializer { factor: 2.0 }",
        "random_normal_initializer { stddev: 0.25 }",
    )
)
_CENTER = """
  num_classes: 2
  feature_extractor { type: "mobilenet_v2_fpn" depth_multiplier: 0.25 }
  image_resizer { fixed_shape_resizer { height: 64 width: 64 } }
  object_detection_task {
    localization_loss { l1_localization_loss { } }
    scale_head_params { num_filters: 16 kernel_sizes: 3 }
    offset_head_params { num_filters: 16 kernel_sizes: 3 }
  }
  object_center_params {
    max_box_predictions: 8
    classification_loss {
      penalty_reduced_logistic_focal_loss { alpha: 2.0 beta: 4.0 }
    }
    center_head_params { num_filters: 32 kernel_sizes: 3 }
  }
"""
_RCNN = """
  num_classes: 2
  image_resizer { fixed_shape_resizer { height: 64 width: 64 } }
  feature_extractor {
    type: "faster_rcnn_resnet50_fpn_keras" batch_norm_trainable: true
    fpn { min_level: 3 max_level: 5 additional_layer_depth: 32 }
    conv_hyperparams {
      activation: RELU_6 batch_norm { scale: true decay: 0.5 epsilon: 0.001 }
      initializer { variance_scaling_initializer { factor: 2.0 } }
    }
    override_base_feature_extractor_hyperparams: true
  }
  first_stage_anchor_generator { multiscale_anchor_generator {
    min_level: 3 max_level: 5 aspect_ratios: [1.0, 2.0] scales_per_octave: 1
    anchor_scale: 2.0
  } }
  first_stage_box_predictor_conv_hyperparams {
    initializer { truncated_normal_initializer { stddev: 0.05 } }
  }
  first_stage_box_predictor_depth: 32
  first_stage_max_proposals: 16
  clip_anchors_to_image: true
  initial_crop_size: 4 maxpool_kernel_size: 2 maxpool_stride: 2
  second_stage_batch_size: 16
  second_stage_box_predictor { mask_rcnn_box_predictor {
    fc_hyperparams { op: FC initializer { variance_scaling_initializer { } } }
  } }
  second_stage_post_processing {
    batch_non_max_suppression {
      score_threshold: 0.01 max_detections_per_class: 5 max_total_detections: 8
    }
    score_converter: SOFTMAX
  }
"""
FAMILIES = {
    "center": _CENTER,
    "rcnn": _RCNN,
    "ssd": _SSD,
    "fpn": _FPN,
    "retina": _RETINA,
    "mobilenet": _MOBILENET,
    "bifpn": _BIFPN,
}
SIZE = 64


def small_config(family: str, *overrides: str):
    """Returns the config of a small detector of a family: a key of `FAMILIES`."""
    for name, model in (("center", "center_net"), ("rcnn", "faster_rcnn")):
        if family == name:
            text = f"model {{ {model} {{ {FAMILIES[name]} }} }}"
            return load_config(text, overrides)
    text = f"model {{ ssd {{ {FAMILIES[family]} {_REST} }} }}"
    return load_config(text, overrides)


def small_batch(images: int = 2, seed: int = 0):
    """Returns inputs and groundtruth of noise with one bright square per image."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 60, (images, SIZE, SIZE, 3))
    boxes = np.zeros((images, 3, 4), np.float32)
    for n in range(images):
        y, x = rng.integers(4, 24, 2)
        pixels[n, y : y + 32, x : x + 32] += 180
        boxes[n, 0] = np.array([y, x, y + 32, x + 32]) / SIZE
    valid = np.array([[True, False, False]] * images)
    x = {
        "images": pixels.astype(np.uint8),
        "true_size": np.full((images, 2), SIZE, np.int32),
    }
    y = {
        "boxes": boxes,
        "classes": np.zeros((images, 3), np.int32),
        "valid": valid,
        "weights": valid.astype(np.float32),
    }
    return x, y
