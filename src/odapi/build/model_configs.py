"""Pipeline configs of the model families, from templates and options.

A template is the config of a model of the TF2 zoo with its training, for one device.
Its options are set in a copy; what the zoo changes together with a backbone is in the
tables below.
"""

import dataclasses
import importlib.resources
from collections.abc import Mapping, Sequence
from typing import Any

from odapi.config.load import Config, load_config, options
from odapi.config.override import apply_overrides
from odapi.errors import ConfigError, unknown_choice

ImageSize = int | tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A choice of a model family.

    Args:
        template: Name of the config that is copied.
        overrides: Set in the copy, as "path=value".
        image_size: Default size of the images, as the zoo has it.
    """

    template: str
    overrides: tuple[str, ...] = ()
    image_size: ImageSize = 640


def _extractor(kind: str, model: str) -> str:
    return f'model.{model}.feature_extractor.type="{kind}"'


def _resnets(
    template: str, model: str, form: str, name: str = "resnet{}"
) -> dict[str, Backbone]:
    """Returns ResNets of 50, 101 and 152 layers, by their name."""
    return {
        name.format(depth): Backbone(template, (_extractor(form.format(depth), model),))
        for depth in (50, 101, 152)
    }


_NO_CAFFE = (
    "model.center_net.feature_extractor.bgr_ordering=",
    "model.center_net.feature_extractor.channel_means=",
    "model.center_net.feature_extractor.channel_stds=",
)


def _center(kind: str, caffe: bool = False) -> Backbone:
    extractor = _extractor(kind, "center_net")
    return Backbone("center_net", (extractor, *(() if caffe else _NO_CAFFE)), 512)


def _efficientdet(
    variant: int, backbone: int, size: int, depth: int, cells: int, layers: int
) -> Backbone:
    head = "model.ssd.box_predictor.weight_shared_convolutional_box_predictor"
    extractor = "model.ssd.feature_extractor"
    overrides = [
        _extractor(f"ssd_efficientnet-b{backbone}_bifpn_keras", "ssd"),
        f"{head}.depth={depth}",
        f"{head}.num_layers_before_predictor={layers}",
        f"{extractor}.bifpn.num_iterations={cells}",
        f"{extractor}.bifpn.num_filters={depth}",
    ]
    if variant >= 6:
        overrides.append(f'{extractor}.bifpn.combine_method="sum"')
    return Backbone("efficientdet", tuple(overrides), size)


# Backbones by family, the default first.
FAMILIES: dict[str, dict[str, Backbone]] = {
    "RetinaNet": _resnets("retinanet", "ssd", "ssd_resnet{}_v1_fpn_keras"),
    "SSD": {
        "mobilenet_v2": Backbone("ssd_mobilenet_v2", image_size=300),
        "mobilenet_v2_fpnlite": Backbone("ssd_mobilenet_v2_fpnlite", image_size=320),
        "mobilenet_v1_fpn": Backbone("ssd_mobilenet_v1_fpn"),
    },
    "EfficientDet": {
        # Variant, EfficientNet, image size, channels, BiFPN cells, head layers.
        "d0": _efficientdet(0, 0, 512, 64, 3, 3),
        "d1": _efficientdet(1, 1, 640, 88, 4, 3),
        "d2": _efficientdet(2, 2, 768, 112, 5, 3),
        "d3": _efficientdet(3, 3, 896, 160, 6, 4),
        "d4": _efficientdet(4, 4, 1024, 224, 7, 4),
        "d5": _efficientdet(5, 5, 1280, 288, 7, 4),
        "d6": _efficientdet(6, 6, 1408, 384, 8, 5),
        "d7": _efficientdet(7, 6, 1536, 384, 8, 5),
    },
    "CenterNet": {
        "resnet50_v1_fpn": _center("resnet_v1_50_fpn"),
        "resnet101_v1_fpn": _center("resnet_v1_101_fpn"),
        "resnet50_v2": _center("resnet_v2_50"),
        "resnet101_v2": _center("resnet_v2_101"),
        "mobilenet_v2_fpn": _center("mobilenet_v2_fpn"),
        "hourglass104": _center("hourglass_104", caffe=True),
    },
    "FasterRCNN": {
        **_resnets("faster_rcnn", "faster_rcnn", "faster_rcnn_resnet{}_keras"),
        **_resnets(
            "faster_rcnn_fpn",
            "faster_rcnn",
            "faster_rcnn_resnet{}_fpn_keras",
            "resnet{}_fpn",
        ),
    },
    "MaskRCNN": {
        **_resnets(
            "mask_rcnn_fpn",
            "faster_rcnn",
            "faster_rcnn_resnet{}_fpn_keras",
            "resnet{}_fpn",
        ),
        "inception_resnet_v2": Backbone("mask_rcnn", image_size=1024),
    },
}


def config_for(
    family: str,
    num_classes: int,
    backbone: str | None = None,
    image_size: ImageSize | None = None,
    backbone_weights: str = "",
    overrides: Sequence[str] = (),
) -> Config:
    """Returns the pipeline config of a model family, for `build_detector` and `train`.

    The model is that of the TF2 zoo with this backbone and image size. Its training is
    the zoo's with the same augmentation and schedule, but for one device: smaller
    batches, and a learning rate that goes with them.

    Args:
        family: A key of `FAMILIES`, such as "RetinaNet".
        num_classes: Number of classes, without the background.
        backbone: A choice of the family; None takes its first one.
        image_size: Side of square images, or (height, width), to which images are
            stretched; None takes that of the zoo.
        backbone_weights: `options.backbone_weights`: "imagenet" or a file.
        overrides: Changes such as "train_config.batch_size=4", in order.

    Raises:
        ConfigError: An argument is not allowed.
    """
    if family not in FAMILIES:
        raise unknown_choice("family", family, FAMILIES)
    choice = _choice(family, backbone)
    if not _is_whole(num_classes):
        raise ConfigError(
            f"{family}.num_classes", f"must be an int of 1 or more, got {num_classes!r}"
        )
    config = load_config(_template(choice.template), choice.overrides)
    model: Any = getattr(config.model, config.model.WhichOneof("model"))
    model.num_classes = num_classes
    size = choice.image_size if image_size is None else image_size
    _set_size(config, model.image_resizer, size, f"{family}.image_size")
    if backbone_weights:
        options(config).backbone_weights = backbone_weights
    apply_overrides(config, overrides)
    return config


def _choice(family: str, backbone: str | None) -> Backbone:
    choices: Mapping[str, Backbone] = FAMILIES[family]
    if backbone is None:
        return next(iter(choices.values()))
    if backbone not in choices:
        name = "variant" if family == "EfficientDet" else "backbone"
        raise unknown_choice(f"{family}.{name}", str(backbone), choices)
    return choices[backbone]


def _template(name: str) -> str:
    folder = importlib.resources.files("odapi.build") / "templates"
    return (folder / f"{name}.config").read_text(encoding="utf-8")


def _set_size(config: Config, resizer: Any, size: Any, place: str) -> None:
    """Sets the size of images, of the resizer and of square crops."""
    if _is_whole(size):
        height = width = size
    elif _is_pair(size):
        height, width = size
    else:
        raise ConfigError(
            place, f"must be an int of 1 or more, or (height, width), got {size!r}"
        )
    if _is_whole(size) and resizer.HasField("keep_aspect_ratio_resizer"):
        resizer.keep_aspect_ratio_resizer.min_dimension = size
        resizer.keep_aspect_ratio_resizer.max_dimension = size
    else:
        resizer.fixed_shape_resizer.height = height
        resizer.fixed_shape_resizer.width = width
    for step in config.train_config.data_augmentation_options:
        if step.HasField("random_scale_crop_and_pad_to_square"):
            square = step.random_scale_crop_and_pad_to_square
            square.output_size = max(height, width)


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(map(_is_whole, value))
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
