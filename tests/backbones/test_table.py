"""The backbone table and its views."""

from odapi.backbones.table import (
    APPLICATIONS,
    BACKBONES,
    CENTER_EXTRACTORS,
    RCNN_EXTRACTORS,
    SSD_EXTRACTORS,
)

# ImageNet weights by extractor type, from the sources of the original and of Keras.
_RESNETS = {
    "ssd_resnet{}_v1_fpn_keras": (50, 101, 152),
    "faster_rcnn_resnet{}_keras": (50, 101, 152),
    "faster_rcnn_resnet{}_fpn_keras": (50, 101, 152),
    "resnet_v1_{}_fpn": (50, 101),
}
_EXPECTED = {
    "ssd_mobilenet_v1_keras": ("MobileNet", 2),
    "ssd_mobilenet_v1_fpn_keras": ("MobileNet", 2),
    "ssd_mobilenet_v2_keras": ("MobileNetV2", 1),
    "ssd_mobilenet_v2_fpn_keras": ("MobileNetV2", 1),
    "mobilenet_v2": ("MobileNetV2", 1),
    "mobilenet_v2_fpn": ("MobileNetV2", 1),
    "mobilenet_v2_fpn_sep_conv": ("MobileNetV2", 1),
    "resnet_v2_50": ("ResNet50V2", 0),
    "resnet_v2_101": ("ResNet101V2", 0),
    "faster_rcnn_inception_resnet_v2_keras": ("InceptionResNetV2", 0),
    **{name.format(n): (f"ResNet{n}", 0) for name, ns in _RESNETS.items() for n in ns},
    **{
        f"ssd_efficientnet-b{n}_bifpn_keras": (f"EfficientNetB{n}", 0) for n in range(8)
    },
}


def test_imagenet_weights_by_extractor_type():
    found = {k: (a.name, a.width_power) for k, a in APPLICATIONS.items()}
    assert found == _EXPECTED


def test_extractors_without_imagenet_weights():
    types = {*SSD_EXTRACTORS, *RCNN_EXTRACTORS, *CENTER_EXTRACTORS}
    assert types - set(APPLICATIONS) == {
        "resnet_v1_18_fpn",
        "resnet_v1_34_fpn",
        *(f"hourglass_{n}" for n in (10, 20, 32, 52, 104)),
    }


def test_an_extractor_type_belongs_to_one_backbone_and_family():
    types = [kind for backbone in BACKBONES.values() for kind in backbone.types]
    assert len(types) == len(set(types)) == 36
    assert (len(SSD_EXTRACTORS), len(RCNN_EXTRACTORS), len(CENTER_EXTRACTORS)) == (
        15, 7, 14,
    )  # fmt: skip
