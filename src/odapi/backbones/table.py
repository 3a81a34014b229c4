"""The table of all backbones: one row per backbone, one column per detector family.

Builders, the config check and ImageNet initialization read `BACKBONES` or a view of
it: `SSD_EXTRACTORS`, `RCNN_EXTRACTORS` and `CENTER_EXTRACTORS` by the extractor types
of configs, `APPLICATIONS` by the same types.
"""

import dataclasses
import functools
from typing import Any

from odapi.backbones import (
    basic_resnet,
    center_resnet,
    efficientnet,
    hourglass,
    inception_resnet,
    mobilenet,
    mobilenet_v2,
    resnet,
)
from odapi.backbones.rows import (
    Application,
    Backbone,
    BifpnDefaults,
    CenterRow,
    Decoder,
    HalvedRow,
    PyramidRow,
    SsdRow,
)
from odapi.layers.pixels import (
    IMAGENET,
    KERAS_MINUS_ONE_TO_ONE,
    MINUS_MEAN_BGR,
    MINUS_MEAN_RGB,
    MINUS_ONE_TO_ONE,
    UNCHANGED,
)

# The original never regularizes CenterNet, and regularizes the backbone of a two-stage
# detector only if a pyramid follows it.
_CENTER_MOBILENET = dataclasses.replace(mobilenet_v2.DEFAULT_HYPERPARAMS, l2=0.0)
_HALVED_RESNET = dataclasses.replace(resnet.DEFAULT_HYPERPARAMS, l2=0.0)

_SSD_EXTRA_DEPTHS = (512, 256, 256, 128)
_NO_SKIPS = Decoder((256, 128, 64), skips=False)
_SKIPS = Decoder((256, 128, 64), skips=True)

_EFFICIENTNET_LEVELS = (
    "block1a_project_bn", "block2b_add", "block3b_add", "block5c_add",
    "block7a_project_bn",
)  # fmt: skip
# Of EfficientDet D0 to D7 by backbone. B6 and B7 add maps without weights, since
# training was not stable with them.
_BIFPN = {
    "b0": BifpnDefaults(3, 64),
    "b1": BifpnDefaults(4, 88),
    "b2": BifpnDefaults(5, 112),
    "b3": BifpnDefaults(6, 160),
    "b4": BifpnDefaults(7, 224),
    "b5": BifpnDefaults(7, 288),
    "b6": BifpnDefaults(8, 384, "sum"),
    "b7": BifpnDefaults(8, 384, "sum"),
}


def _resnet(num_layers: int) -> Backbone:
    shared: dict[str, Any] = {
        "backbone": functools.partial(resnet.resnet, num_layers),
        "endpoints": resnet.stage_ends(num_layers),
        "hyperparams": resnet.DEFAULT_HYPERPARAMS,
        "pixels": MINUS_MEAN_RGB,
    }
    halved = HalvedRow(
        halves=functools.partial(resnet.resnet_halves, num_layers),
        hyperparams=_HALVED_RESNET,
        pixels=MINUS_MEAN_RGB,
    )
    center: dict[str, CenterRow] = {}
    if num_layers in center_resnet.NUM_LAYERS:
        make = functools.partial(center_resnet.center_resnet, 1, num_layers)
        ends = resnet.stage_ends(num_layers)
        center = {f"resnet_v1_{num_layers}_fpn": _center_resnet(make, ends)}
    return Backbone(
        application=Application(f"ResNet{num_layers}"),
        ssd={
            f"ssd_resnet{num_layers}_v1_fpn_keras": SsdRow(
                **shared, pyramid=True, plain=True
            )
        },
        two_stage={
            f"faster_rcnn_resnet{num_layers}_keras": halved,
            f"faster_rcnn_resnet{num_layers}_fpn_keras": PyramidRow(**shared),
        },
        center=center,
    )


def _basic_resnet(num_layers: int) -> Backbone:
    make = functools.partial(basic_resnet.basic_resnet, num_layers)
    row = _center_resnet(make, basic_resnet.stage_ends(num_layers))
    return Backbone(center={f"resnet_v1_{num_layers}_fpn": row})


def _center_resnet(make: Any, endpoints: tuple[str, ...]) -> CenterRow:
    return CenterRow(
        backbone=functools.partial(make, endpoints=endpoints),
        hyperparams=center_resnet.DEFAULT_HYPERPARAMS,
        pixels=MINUS_MEAN_BGR,
        decoder=_SKIPS,
    )


def _resnet_v2(num_layers: int) -> Backbone:
    row = CenterRow(
        backbone=functools.partial(
            center_resnet.center_resnet, 2, num_layers, endpoints=("conv5_block3_out",)
        ),
        hyperparams=center_resnet.DEFAULT_HYPERPARAMS,
        pixels=KERAS_MINUS_ONE_TO_ONE,
        decoder=_NO_SKIPS,
    )
    return Backbone(
        application=Application(f"ResNet{num_layers}V2"),
        center={f"resnet_v2_{num_layers}": row},
    )


def _hourglass(name: str, plan: hourglass.HourglassPlan) -> Backbone:
    row = CenterRow(
        backbone=functools.partial(hourglass.Hourglass, plan),
        hyperparams=hourglass.DEFAULT_HYPERPARAMS,
        pixels=UNCHANGED,
    )
    return Backbone(center={name: row})


def _efficientnet(size: str) -> Backbone:
    row = SsdRow(
        backbone=functools.partial(efficientnet.efficientnet, size=size),
        # The original takes these blocks whatever the number of blocks.
        endpoints=_EFFICIENTNET_LEVELS,
        hyperparams=efficientnet.DEFAULT_HYPERPARAMS,
        pixels=IMAGENET,
        pyramid=True,
        first_level=1,
        bifpn=_BIFPN[size],
    )
    return Backbone(
        application=Application(f"EfficientNet{size.upper()}"),
        ssd={f"ssd_efficientnet-{size}_bifpn_keras": row},
    )


def _center_mobilenet(*endpoints: str, **options) -> CenterRow:
    return CenterRow(
        backbone=functools.partial(mobilenet_v2.mobilenet_v2, endpoints),
        hyperparams=_CENTER_MOBILENET,
        pixels=KERAS_MINUS_ONE_TO_ONE,
        widens=True,
        **options,
    )


_center_mobilenet_fpn = functools.partial(
    _center_mobilenet,
    "block_2_add",
    "block_5_add",
    "block_9_add",
    "out_relu",
    decoder=Decoder((64, 32, 24), skips=True),
    upsampling=True,
)


def _mobilenet(**options) -> SsdRow:
    return SsdRow(
        backbone=mobilenet.mobilenet,
        hyperparams=mobilenet.DEFAULT_HYPERPARAMS,
        pixels=MINUS_ONE_TO_ONE,
        **options,
    )


def _mobilenet_v2(**options) -> SsdRow:
    return SsdRow(
        backbone=mobilenet_v2.mobilenet_v2,
        hyperparams=mobilenet_v2.DEFAULT_HYPERPARAMS,
        pixels=MINUS_ONE_TO_ONE,
        **options,
    )


BACKBONES: dict[str, Backbone] = {
    "mobilenet_v1": Backbone(
        application=Application("MobileNet", width_power=2),
        ssd={
            "ssd_mobilenet_v1_keras": _mobilenet(
                endpoints=("conv_pw_11_relu", "conv_pw_13_relu"),
                pyramid=False,
                extra_depths=_SSD_EXTRA_DEPTHS,
            ),
            "ssd_mobilenet_v1_fpn_keras": _mobilenet(
                endpoints=(
                    "conv_pw_3_relu",
                    "conv_pw_5_relu",
                    "conv_pw_11_relu",
                    "conv_pw_13_relu",
                ),
                pyramid=True,
                depthwise_backbone=functools.partial(
                    mobilenet.mobilenet, nominal=mobilenet.NARROW_END
                ),
            ),
        },
    ),
    "mobilenet_v2": Backbone(
        application=Application("MobileNetV2", width_power=1),
        ssd={
            "ssd_mobilenet_v2_keras": _mobilenet_v2(
                endpoints=("block_13_expand_relu", "out_relu"),
                pyramid=False,
                extra_depths=_SSD_EXTRA_DEPTHS,
            ),
            "ssd_mobilenet_v2_fpn_keras": _mobilenet_v2(
                endpoints=("block_2_add", "block_5_add", "block_12_add", "out_relu"),
                pyramid=True,
            ),
        },
        center={
            "mobilenet_v2": _center_mobilenet(
                "out_relu", decoder=Decoder((256, 128, 64), skips=False, size=1)
            ),
            "mobilenet_v2_fpn": _center_mobilenet_fpn(separable=None),
            "mobilenet_v2_fpn_sep_conv": _center_mobilenet_fpn(separable=True),
        },
    ),
    "resnet18": _basic_resnet(18),
    "resnet34": _basic_resnet(34),
    "resnet50": _resnet(50),
    "resnet101": _resnet(101),
    "resnet152": _resnet(152),
    "resnet50_v2": _resnet_v2(50),
    "resnet101_v2": _resnet_v2(101),
    "inception_resnet_v2": Backbone(
        application=Application("InceptionResNetV2"),
        two_stage={
            "faster_rcnn_inception_resnet_v2_keras": HalvedRow(
                halves=inception_resnet.inception_resnet_halves,
                hyperparams=inception_resnet.DEFAULT_HYPERPARAMS,
                pixels=MINUS_ONE_TO_ONE,
            ),
        },
    ),
    **{f"efficientnet_{size}": _efficientnet(size) for size in _BIFPN},
    "hourglass10": _hourglass("hourglass_10", hourglass.hourglass_plan(10, 32)),
    "hourglass20": _hourglass("hourglass_20", hourglass.hourglass_plan(20, 48)),
    "hourglass32": _hourglass("hourglass_32", hourglass.hourglass_plan(32, 48)),
    "hourglass52": _hourglass("hourglass_52", hourglass.hourglass_plan(52, 64)),
    "hourglass104": _hourglass(
        "hourglass_104", hourglass.hourglass_plan(52, 128, stacks=2)
    ),
}

# Views of the table by the extractor types of configs.
SSD_EXTRACTORS: dict[str, SsdRow] = {}
RCNN_EXTRACTORS: dict[str, HalvedRow | PyramidRow] = {}
CENTER_EXTRACTORS: dict[str, CenterRow] = {}
APPLICATIONS: dict[str, Application] = {}
for _backbone in BACKBONES.values():
    SSD_EXTRACTORS.update(_backbone.ssd)
    RCNN_EXTRACTORS.update(_backbone.two_stage)
    CENTER_EXTRACTORS.update(_backbone.center)
    if _backbone.application is not None:
        APPLICATIONS.update(dict.fromkeys(_backbone.types, _backbone.application))
