"""Configs of the constructors against those of the zoo, field by field."""

import pytest

from odapi.build.model_configs import FAMILIES, config_for
from odapi.config.check import find
from odapi.config.diff import diff
from odapi.config.load import Config, load_config
from odapi.errors import ConfigError

_BIG, _INCEPTION = (1024, 1024), "inception_resnet_v2"
# Family, backbone, image size (None: the default), config of the zoo.
_ZOO = [
    ("RetinaNet", None, None, "ssd_resnet50_v1_fpn_640x640"),
    ("RetinaNet", "resnet50", 1024, "ssd_resnet50_v1_fpn_1024x1024"),
    ("RetinaNet", "resnet101", None, "ssd_resnet101_v1_fpn_640x640"),
    ("RetinaNet", "resnet101", 1024, "ssd_resnet101_v1_fpn_1024x1024"),
    ("RetinaNet", "resnet152", None, "ssd_resnet152_v1_fpn_640x640"),
    ("RetinaNet", "resnet152", 1024, "ssd_resnet152_v1_fpn_1024x1024"),
    ("SSD", None, None, "ssd_mobilenet_v2_320x320"),
    ("SSD", "mobilenet_v2_fpnlite", None, "ssd_mobilenet_v2_fpnlite_320x320"),
    ("SSD", "mobilenet_v2_fpnlite", 640, "ssd_mobilenet_v2_fpnlite_640x640"),
    ("SSD", "mobilenet_v1_fpn", None, "ssd_mobilenet_v1_fpn_640x640"),
    ("EfficientDet", None, None, "ssd_efficientdet_d0_512x512"),
    ("EfficientDet", "d1", None, "ssd_efficientdet_d1_640x640"),
    ("EfficientDet", "d2", None, "ssd_efficientdet_d2_768x768"),
    ("EfficientDet", "d3", None, "ssd_efficientdet_d3_896x896"),
    ("EfficientDet", "d4", None, "ssd_efficientdet_d4_1024x1024"),
    ("EfficientDet", "d5", None, "ssd_efficientdet_d5_1280x1280"),
    ("EfficientDet", "d6", None, "ssd_efficientdet_d6_1408x1408"),
    ("EfficientDet", "d7", None, "ssd_efficientdet_d7_1536x1536"),
    ("CenterNet", "hourglass104", None, "centernet_hourglass104_512x512"),
    ("CenterNet", "hourglass104", 1024, "centernet_hourglass104_1024x1024"),
    ("CenterNet", "resnet101_v2", None, "centernet_resnet101_v1_fpn_512x512"),
    ("FasterRCNN", None, None, "faster_rcnn_resnet50_v1_640x640"),
    ("FasterRCNN", "resnet101", None, "faster_rcnn_resnet101_v1_640x640"),
    ("FasterRCNN", "resnet152", None, "faster_rcnn_resnet152_v1_640x640"),
    ("FasterRCNN", "resnet50", _BIG, "faster_rcnn_resnet50_v1_1024x1024"),
    ("FasterRCNN", "resnet101", _BIG, "faster_rcnn_resnet101_v1_1024x1024"),
    ("FasterRCNN", "resnet152", _BIG, "faster_rcnn_resnet152_v1_1024x1024"),
    ("FasterRCNN", "resnet50_fpn", None, "faster_rcnn_resnet50_v1_fpn_640x640"),
    ("MaskRCNN", _INCEPTION, None, f"mask_rcnn_{_INCEPTION}_1024x1024"),
]  # fmt: skip
# Fields that the zoo sets and that have no effect here, as `odapi config check` says.
_WITHOUT_EFFECT = {
    "model.ssd.inplace_batchnorm_update",
    "model.ssd.matcher.argmax_matcher.use_matmul_gather",
    "model.faster_rcnn.use_matmul_gather_in_matcher",
    "model.faster_rcnn.resize_masks",
    "model.faster_rcnn.first_stage_anchor_generator.multiscale_anchor_generator"
    ".normalize_coordinates",
}


def _zoo_config(shared, name):
    (path,) = (shared / "configs/tf2").glob(f"{name}_coco17_*.config")
    return load_config(path)


def _model_of(config):
    only = Config()
    only.model.CopyFrom(config.model)
    return only


def _augmentations(config):
    return list(config.train_config.data_augmentation_options)


@pytest.mark.parametrize(("family", "backbone", "size", "name"), _ZOO)
def test_models_are_those_of_the_zoo(shared, family, backbone, size, name):
    zoo = _zoo_config(shared, name)
    made = config_for(family, 90, backbone, size)
    differences = {d.path for d in diff(_model_of(zoo), _model_of(made))}
    assert differences <= _WITHOUT_EFFECT


@pytest.mark.parametrize(
    ("family", "backbone", "name"),
    [(f, b, n) for f, b, size, n in _ZOO if size is None],
)
def test_augmentation_is_that_of_the_zoo(shared, family, backbone, name):
    zoo = _zoo_config(shared, name)
    assert _augmentations(config_for(family, 90, backbone)) == _augmentations(zoo)


def test_mask_rcnn_with_a_pyramid_is_the_recipe(root):
    recipe = load_config(root / "recipes/mask_rcnn_resnet50_v1_fpn_640x640.config")
    made = config_for("MaskRCNN", 90)
    assert not list(diff(_model_of(recipe), _model_of(made)))
    assert made.train_config == recipe.train_config


@pytest.mark.parametrize(
    ("family", "backbone"), [(f, b) for f, choices in FAMILIES.items() for b in choices]
)
def test_configs_have_no_errors_or_fields_without_effect(family, backbone):
    config = config_for(family, 3, backbone, overrides=["options.train_data=coco:x"])
    assert find(config, for_training=True, for_data=False) == []


def test_number_of_classes_size_weights_and_overrides_are_set():
    config = config_for(
        "EfficientDet",
        7,
        "d1",
        (256, 384),
        "imagenet",
        ["train_config.batch_size=2"],
    )
    ssd = config.model.ssd
    assert ssd.num_classes == 7
    assert ssd.image_resizer.fixed_shape_resizer.height == 256
    assert ssd.image_resizer.fixed_shape_resizer.width == 384
    crop = config.train_config.data_augmentation_options[1]
    assert crop.random_scale_crop_and_pad_to_square.output_size == 384
    assert config.train_config.batch_size == 2
    assert 'backbone_weights: "imagenet"' in str(config)


@pytest.mark.parametrize(
    ("family", "backbone", "rate", "batch_size"),
    [
        # The zoo: 0.04 at 64; 0.8 at 512; 0.08 at 128 or 0.001 by Adam at 128.
        ("RetinaNet", "resnet50", 0.005, 8),
        ("SSD", "mobilenet_v2", 0.025, 16),
        ("EfficientDet", "d0", 0.005, 8),
        ("FasterRCNN", "resnet50", 0.005, 8),
    ],
)
def test_learning_rates_go_with_smaller_batches(family, backbone, rate, batch_size):
    train = config_for(family, 3, backbone).train_config
    schedule = train.optimizer.momentum_optimizer.learning_rate
    base = schedule.cosine_decay_learning_rate.learning_rate_base
    assert base == pytest.approx(rate, rel=1e-3)
    assert train.batch_size == batch_size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("RetinaNeti", 3), r"family: unknown value 'RetinaNeti'.*did you mean"),
        (("RetinaNet", 3, "resnet5"), r"RetinaNet.backbone: .*resnet101.*resnet50"),
        (("EfficientDet", 3, "d8"), r"EfficientDet.variant: .*d0, d1"),
        (("SSD", 0), r"SSD.num_classes: must be an int of 1 or more, got 0"),
        (("SSD", 2.5), r"SSD.num_classes: .*got 2.5"),
        (("SSD", True), r"SSD.num_classes: .*got True"),
        (("SSD", 3, None, 0), r"SSD.image_size: .*\(height, width\), got 0"),
        (("SSD", 3, None, (1, 2, 3)), r"SSD.image_size: .*got \(1, 2, 3\)"),
        (("SSD", 3, None, "320"), r"SSD.image_size: .*got '320'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        config_for(*arguments)
