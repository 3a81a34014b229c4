"""Changes of small configs that set the fields which no real config sets.

Each is the name of a family of `small_models` and proto text to merge.
"""


def _ssd(text):
    return f"model {{ ssd {{ {text} }} }}"


def _center(text):
    return f"model {{ center_net {{ {text} }} }}"


def _rcnn(text):
    return f"model {{ faster_rcnn {{ {text} }} }}"


_POINTS = "x_y_pair { x: 0.0 y: 0.1 } x_y_pair { x: 1.0 y: 0.9 }"
_CLIP = "box_encodings_clip_range { min: -9 max: 9 }"
_GRID = """anchor_grid {
  base_sizes: 9 aspect_ratios: 1 height_stride: 16 width_stride: 16
}"""
_ONE_MAP = """
  feature_extractor { type: "faster_rcnn_resnet50_keras" }
  first_stage_anchor_generator {
    grid_anchor_generator { scales: 1 aspect_ratios: 1 }
  }
"""
_RFCN = """rfcn_box_predictor {
  conv_hyperparams { initializer { variance_scaling_initializer { } } }
}"""
_MASKS = """number_of_stages: 3 second_stage_box_predictor { mask_rcnn_box_predictor {
  fc_hyperparams { op: FC initializer { variance_scaling_initializer { } } }
  conv_hyperparams { initializer { variance_scaling_initializer { } } }
  predict_instance_masks: true mask_height: 8 mask_width: 8
} }"""


def _codes(size):
    return (
        f"box_predictor {{ convolutional_box_predictor {{ box_code_size: {size} }} }}"
    )


_FOUR_KEYPOINTS = (
    _ssd(f"box_coder {{ keypoint_box_coder {{ num_keypoints: 4 }} }} {_codes(12)}")
    + " train_input_reader { num_keypoints: 4 }"
)
_CONTEXT = (
    _rcnn("context_config { }") + " train_input_reader { load_context_features: true }"
)


def _pose(options):
    task = f"""keypoint_label_map_path: "map.pbtxt" keypoint_estimation_task {{
      task_name: "pose" keypoint_class_name: "/m/01g317" {options}
      loss {{
        localization_loss {{ l1_localization_loss {{ }} }}
        classification_loss {{
          penalty_reduced_logistic_focal_loss {{ alpha: 2 beta: 4 }}
        }}
      }}
    }}"""
    return _center(task) + " train_input_reader { num_keypoints: 17 }"


def _deepmac(options):
    return _center(
        "deepmac_mask_estimation { dim: 8 pixel_embedding_dim: 4 "
        f"classification_loss {{ weighted_sigmoid {{ }} }} {options} }}"
    )


def _calibration(text):
    return _ssd(f"post_processing {{ calibration_config {{ {text} }} }}")


def _predictor(text):
    predictor = "weight_shared_convolutional_box_predictor"
    return _ssd(f"box_predictor {{ {predictor} {{ {text} }} }}")


def _hyperparams(text):
    return _predictor(f"conv_hyperparams {{ {text} }}")


def _optimizer(text):
    return f"train_config {{ optimizer {{ {text} }} }}"


_SHAPE = "min_aspect_ratio: 0.5 max_aspect_ratio: 2 max_area: 1"
_PADDED = "min_padded_size_ratio: [1, 1] max_padded_size_ratio: [2, 2]"


def _augmentation(text):
    return f"train_config {{ data_augmentation_options {{ {text} }} }}"


def _own(text):
    return f"[odapi.options] {{ augmentations {{ {text} }} }}"


SAMPLES = (
    # Coders, matching and losses.
    ("ssd", _FOUR_KEYPOINTS),
    ("ssd", _ssd("box_coder { mean_stddev_box_coder { } }")),
    ("ssd", _ssd(f"box_coder {{ square_box_coder {{ }} }} {_codes(3)}")),
    ("ssd", _ssd("similarity_calculator { ioa_similarity { } }")),
    ("ssd", _ssd("similarity_calculator { neg_sq_dist_similarity { } }")),
    ("ssd", _ssd("similarity_calculator { thresholded_iou_similarity { } }")),
    ("ssd", _ssd("loss { classification_loss { weighted_logits_softmax { } } }")),
    ("ssd", _ssd("loss { classification_loss { weighted_softmax { } } }")),
    (
        "ssd",
        _ssd("loss { classification_loss { bootstrapped_sigmoid { alpha: 0.5 } } }"),
    ),
    (
        "ssd",
        _ssd("loss { classification_loss { weighted_dice_classification_loss { } } }"),
    ),
    ("ssd", _ssd("loss { localization_loss { weighted_giou { } } }")),
    ("ssd", _ssd("loss { localization_loss { weighted_iou { } } }")),
    ("ssd", _ssd("loss { localization_loss { weighted_l2 { } } }")),
    ("ssd", _ssd("loss { random_example_sampler { } }")),
    # Anchors and image sizes.
    (
        "ssd",
        _ssd(
            f"anchor_generator {{ flexible_grid_anchor_generator {{ {3 * _GRID} }} }}"
        ),
    ),
    (
        "rcnn",
        _rcnn(_ONE_MAP),
    ),
    ("ssd", _ssd("image_resizer { identity_resizer { } }")),
    ("ssd", _ssd("image_resizer { pad_to_multiple_resizer { multiple: 32 } }")),
    ("ssd", _ssd("image_resizer { conditional_shape_resizer { } }")),
    ("ssd", _ssd("image_resizer { keep_aspect_ratio_resizer { } }")),
    # Heads and their initial weights.
    ("ssd", _ssd(f"box_predictor {{ convolutional_box_predictor {{ {_CLIP} }} }}")),
    ("fpn", _predictor(_CLIP)),
    ("fpn", _hyperparams("sync_batch_norm { }")),
    ("fpn", _hyperparams("group_norm { }")),
    ("fpn", _hyperparams("regularizer { l1_regularizer { } }")),
    ("fpn", _hyperparams("initializer { keras_initializer_by_name: 'he_normal' }")),
    # Scores.
    ("ssd", _calibration("temperature_scaling_calibration { scaler: 2 }")),
    (
        "ssd",
        _calibration(f"function_approximation {{ x_y_pairs {{ {_POINTS} }} }}"),
    ),
    (
        "ssd",
        _calibration(
            "class_id_function_approximations { class_id_xy_pairs_map { "
            f"key: 1 value {{ {_POINTS} }} }} }}"
        ),
    ),
    # Two stages.
    ("rcnn", _rcnn(f"{_ONE_MAP} second_stage_box_predictor {{ {_RFCN} }}")),
    ("rcnn", _rcnn(_MASKS)),
    ("rcnn", _CONTEXT),
    # Tasks of CenterNet.
    *(
        ("center", _pose(options))
        for options in (
            "", "argmax_postprocessing: true", "rescore_instances: true",
            "candidate_ranking_mode: 'score_distance_ratio'",
            "candidate_ranking_mode: 'score_scaled_distance_ratio'",
            "candidate_ranking_mode: 'gaussian_weighted'",
        )
    ),
    (
        "center",
        _center(
            "mask_estimation_task { classification_loss { weighted_softmax { } } } "
            "densepose_estimation_task { loss { "
            "localization_loss { l1_localization_loss { } } "
            "classification_loss { weighted_softmax { } } } }"
        ),
    ),
    (
        "center",
        _center(
            "track_estimation_task { num_track_ids: 3 "
            "classification_loss { weighted_softmax { } } }"
        ),
    ),
    (
        "center",
        _center(
            "temporal_offset_task { localization_loss { l1_localization_loss { } } }"
        ),
    ),
    *(
        ("center", _deepmac(options))
        for options in (
            "max_roi_jitter_ratio: 0.1", "predict_full_resolution_masks: true",
            "box_consistency_loss_weight: 1 feature_consistency_loss_weight: 1 "
            "augmented_self_supervision_loss_weight: 1 "
            "predict_full_resolution_masks: true",
        )
    ),
    # Optimizers and augmentations.
    (
        "ssd",
        _optimizer(
            "use_moving_average: true adam_optimizer { learning_rate { "
            "constant_learning_rate { } } }"
        ),
    ),
    (
        "ssd",
        _optimizer(
            "adam_optimizer { learning_rate { exponential_decay_learning_rate { } } }"
        ),
    ),
    *(
        ("ssd", _augmentation(f"{name} {{ }}"))
        for name in (
            "random_horizontal_flip", "random_vertical_flip", "random_rotation90",
            "random_adjust_brightness", "random_adjust_hue", "random_crop_image",
            "random_square_crop_by_scale", "random_distort_color", "adjust_gamma",
            "rgb_to_gray", "random_rgb_to_gray", "random_pixel_value_scale",
            "random_black_patches", "random_jpeg_quality", "random_patch_gaussian",
            "subtract_channel_mean", "autoaugment_image",
        )
    ),
    ("ssd", _augmentation("normalize_image { original_maxval: 255 }")),
    *(
        ("ssd", _augmentation(f"{name} {{ {text} }}"))
        for name, text in {
            "random_image_scale": "",
            "random_jitter_boxes": "",
            "random_pad_image": "",
            "random_crop_pad_image": "",
            "random_crop_to_aspect_ratio": "",
            "random_self_concat_image": "",
            "random_downscale_to_target_pixels": "max_target_pixels: 400000",
            "random_resize_method": "target_height: 9 target_width: 9",
            "resize_image": "new_height: 9 new_width: 9",
            "ssd_random_crop_pad": f"operations {{ {_SHAPE} {_PADDED} }}",
            "ssd_random_crop_fixed_aspect_ratio": "operations { max_area: 1 }",
            "ssd_random_crop_pad_fixed_aspect_ratio": f"operations {{ {_SHAPE} }}",
            "convert_class_logits_to_softmax": "",
            "drop_label_probabilistically": "label: 1",
            "remap_labels": "original_labels: 1 new_label: 1",
        }.items()
    ),
    (
        "ssd",
        _augmentation(
            "ssd_random_crop { operations { min_aspect_ratio: 0.5 "
            "max_aspect_ratio: 2 min_area: 0.5 max_area: 1 overlap_thresh: 0.5 } }"
        ),
    ),
    ("ssd", _own("step { random_adjust_hue { } } close_after: 1")),
    ("ssd", _own("random_mosaic { }")),
    ("ssd", _own("random_mixup { }")),
    ("ssd", _own("random_copy_paste { }")),
    *(
        ("ssd", _own(f"{name} {{ }}"))
        for name in (
            "random_erasing", "random_blur", "random_noise", "random_perspective",
        )
    ),
)  # fmt: skip
