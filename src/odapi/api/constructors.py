"""Detectors without a pipeline.config: one function per model family.

    model = odapi.models.RetinaNet(num_classes=3, backbone="resnet50", image_size=640)
    odapi.train(model.pipeline_config, "runs/first", train_data="coco:train.json")

Each makes the config of a model of the TF2 zoo and builds it, as `build_detector` does
with a file: `model.pipeline_config` is its text.
"""

from collections.abc import Sequence
from typing import Any

from odapi.build.detector import build_detector
from odapi.build.model_configs import ImageSize, config_for
from odapi.errors import ConfigError
from odapi.labels import LabelMap, label_map_of
from odapi.models.detector import Detector
from odapi.wording import counted

__all__ = [
    "SSD", "CenterNet", "EfficientDet", "FasterRCNN", "MaskRCNN", "RetinaNet",
    "config_for",
]  # fmt: skip


def RetinaNet(  # noqa: N802
    num_classes: int | None = None,
    backbone: str = "resnet50",
    image_size: ImageSize | None = None,
    *,
    classes: Sequence[str] | None = None,
    backbone_weights: str = "",
    seed: int | None = None,
    overrides: Sequence[str] = (),
) -> Detector:
    """Returns a RetinaNet: a feature pyramid and heads shared by its levels.

    Args:
        num_classes: Number of classes, without the background; may be left out where
            `classes` are given.
        backbone: "resnet50", "resnet101" or "resnet152".
        image_size: Side of square images, or (height, width); None: 640.
        classes: Names of the classes, in the order of their indices.
        backbone_weights: "imagenet" (downloaded once), or a file of backbone weights,
            see `options.backbone_weights`; "" for random ones.
        seed: Seed of the initial weights; None takes that of `options`.
        overrides: Changes of the config, such as "train_config.batch_size=4".

    Raises:
        ConfigError: An argument is not allowed.
        CheckpointError: The backbone weights cannot be read.
    """
    return _build(
        "RetinaNet", num_classes, backbone, image_size, classes, backbone_weights,
        seed, overrides,
    )  # fmt: skip


def SSD(  # noqa: N802
    num_classes: int | None = None,
    backbone: str = "mobilenet_v2",
    image_size: ImageSize | None = None,
    *,
    classes: Sequence[str] | None = None,
    backbone_weights: str = "",
    seed: int | None = None,
    overrides: Sequence[str] = (),
) -> Detector:
    """Returns an SSD with a MobileNet, for phones and CPUs.

    Args:
        num_classes: As for `RetinaNet`.
        backbone: "mobilenet_v2", "mobilenet_v2_fpnlite" or "mobilenet_v1_fpn".
        image_size: Side of square images, or (height, width); None takes the zoo's:
            300, 320 and 640.
        classes: As for `RetinaNet`, like the arguments after it.
        backbone_weights: As for `RetinaNet`.
        seed: As for `RetinaNet`.
        overrides: As for `RetinaNet`.

    Raises:
        ConfigError: An argument is not allowed.
        CheckpointError: The backbone weights cannot be read.
    """
    return _build(
        "SSD", num_classes, backbone, image_size, classes, backbone_weights,
        seed, overrides,
    )  # fmt: skip


def EfficientDet(  # noqa: N802
    num_classes: int | None = None,
    variant: str = "d0",
    image_size: ImageSize | None = None,
    *,
    classes: Sequence[str] | None = None,
    backbone_weights: str = "",
    seed: int | None = None,
    overrides: Sequence[str] = (),
) -> Detector:
    """Returns an EfficientDet.

    Args:
        num_classes: As for `RetinaNet`.
        variant: "d0" to "d7": EfficientNet, BiFPN and heads grow together.
        image_size: Side of square images, or (height, width), multiples of 128; None
            takes that of the variant, 512 to 1536.
        classes: As for `RetinaNet`, like the arguments after it.
        backbone_weights: As for `RetinaNet`.
        seed: As for `RetinaNet`.
        overrides: As for `RetinaNet`.

    Raises:
        ConfigError: An argument is not allowed.
        CheckpointError: The backbone weights cannot be read.
    """
    return _build(
        "EfficientDet", num_classes, variant, image_size, classes, backbone_weights,
        seed, overrides,
    )  # fmt: skip


def CenterNet(  # noqa: N802
    num_classes: int | None = None,
    backbone: str = "resnet50_v1_fpn",
    image_size: ImageSize | None = None,
    *,
    classes: Sequence[str] | None = None,
    backbone_weights: str = "",
    seed: int | None = None,
    overrides: Sequence[str] = (),
) -> Detector:
    """Returns a CenterNet: objects are peaks of a heatmap.

    Args:
        num_classes: As for `RetinaNet`.
        backbone: "resnet50_v1_fpn", "resnet101_v1_fpn", "resnet50_v2",
            "resnet101_v2", "mobilenet_v2_fpn" or "hourglass104".
        image_size: Side of square images, or (height, width); None: 512.
        classes: As for `RetinaNet`, like the arguments after it.
        backbone_weights: As for `RetinaNet`.
        seed: As for `RetinaNet`.
        overrides: As for `RetinaNet`.

    Raises:
        ConfigError: An argument is not allowed.
        CheckpointError: The backbone weights cannot be read.
    """
    return _build(
        "CenterNet", num_classes, backbone, image_size, classes, backbone_weights,
        seed, overrides,
    )  # fmt: skip


def FasterRCNN(  # noqa: N802
    num_classes: int | None = None,
    backbone: str = "resnet50",
    image_size: ImageSize | None = None,
    *,
    classes: Sequence[str] | None = None,
    backbone_weights: str = "",
    seed: int | None = None,
    overrides: Sequence[str] = (),
) -> Detector:
    """Returns a Faster R-CNN: proposals, then a box head on each.

    Args:
        num_classes: As for `RetinaNet`.
        backbone: "resnet50", "resnet101", "resnet152", or with a feature pyramid
            "resnet50_fpn", "resnet101_fpn", "resnet152_fpn".
        image_size: Side of square images, to which images are padded; or (height,
            width), to which they are stretched. None: 640.
        classes: As for `RetinaNet`, like the arguments after it.
        backbone_weights: As for `RetinaNet`.
        seed: As for `RetinaNet`.
        overrides: As for `RetinaNet`.

    Raises:
        ConfigError: An argument is not allowed.
        CheckpointError: The backbone weights cannot be read.
    """
    return _build(
        "FasterRCNN", num_classes, backbone, image_size, classes, backbone_weights,
        seed, overrides,
    )  # fmt: skip


def MaskRCNN(  # noqa: N802
    num_classes: int | None = None,
    backbone: str = "resnet50_fpn",
    image_size: ImageSize | None = None,
    *,
    classes: Sequence[str] | None = None,
    backbone_weights: str = "",
    seed: int | None = None,
    overrides: Sequence[str] = (),
) -> Detector:
    """Returns a Mask R-CNN: a Faster R-CNN with a mask head.

    Args:
        num_classes: As for `RetinaNet`.
        backbone: "resnet50_fpn", "resnet101_fpn", "resnet152_fpn", or
            "inception_resnet_v2", that of the zoo.
        image_size: As for `FasterRCNN`; None: 640, with Inception ResNet 1024.
        classes: As for `RetinaNet`, like the arguments after it.
        backbone_weights: As for `RetinaNet`.
        seed: As for `RetinaNet`.
        overrides: As for `RetinaNet`.

    Raises:
        ConfigError: An argument is not allowed.
        CheckpointError: The backbone weights cannot be read.
    """
    return _build(
        "MaskRCNN", num_classes, backbone, image_size, classes, backbone_weights,
        seed, overrides,
    )  # fmt: skip


def _build(
    family: str,
    num_classes: int | None,
    backbone: str,
    image_size: ImageSize | None,
    classes: Sequence[str] | None,
    backbone_weights: str,
    seed: int | None,
    overrides: Sequence[str],
) -> Detector:
    label_map = _label_map(family, classes)
    number: Any = num_classes
    if label_map is not None:
        number = len(label_map) if num_classes is None else num_classes
        if number != len(label_map):
            raise ConfigError(
                f"{family}.num_classes",
                f"is {number}, but got {counted(len(label_map), 'class', 'classes')}",
                hint="leave it out: classes say how many there are",
            )
    if number is None:
        raise ConfigError(
            family, "needs num_classes, or the names of the classes: classes=[...]"
        )
    config = config_for(
        family, number, backbone, image_size, backbone_weights, overrides
    )
    detector = build_detector(config, seed, label_map)
    if backbone_weights:
        from odapi.training.initialize import initialize

        initialize(config, detector)
    return detector


def _label_map(family: str, classes: Sequence[str] | None) -> LabelMap | None:
    if classes is None:
        return None
    names = [] if isinstance(classes, str) else list(classes)
    if not names or not all(isinstance(n, str) and n.strip() for n in names):
        raise ConfigError(
            f"{family}.classes", f"must be a list of names, got {classes!r}"
        )
    return label_map_of(names, f"{family}.classes")
