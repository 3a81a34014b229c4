"""EfficientDet from configs: what reaches the parts, and what is refused."""

import pytest

from odapi.build.detector import build_detector
from odapi.build.feature_extractor import build_feature_extractor
from odapi.build.hyperparams import BuildContext
from odapi.config.check import find
from odapi.config.load import load_config
from odapi.errors import ConfigError
from odapi.runtime.compat import flatten_layers
from small_models import small_config

_PATH = "model.ssd.feature_extractor"


def _extractor(*overrides):
    config = small_config("bifpn", *overrides)
    return build_feature_extractor(
        config.model.ssd.feature_extractor, _PATH, BuildContext()
    )


def test_the_pyramid_is_as_the_config_says():
    extractor = _extractor(
        f"{_PATH}.bifpn.min_level=2",
        f"{_PATH}.bifpn.max_level=3",
        f"{_PATH}.bifpn.num_iterations=2",
        f"{_PATH}.bifpn.num_filters=24",
        f"{_PATH}.bifpn.combine_method=attention",
        f"{_PATH}.bifpn.use_native_resize_op=true",
    )
    extractor.build((None, 64, 64, 3))
    shapes = extractor.compute_output_shape((None, 64, 64, 3))
    assert shapes == [(None, 16, 16, 24), (None, 8, 8, 24)]
    nodes = extractor.neck.nodes
    assert [node.name for node in nodes] == [
        "round_1_down_2", "round_1_up_3", "round_2_down_2", "round_2_up_3"
    ]  # fmt: skip
    assert {node.combine.method for node in nodes} == {"attention"}
    # Nothing is built that the pyramid does not use.
    assert extractor.backbone.layers[-1].name == "block3b_add"


def test_without_a_message_the_pyramid_is_that_of_the_paper(monkeypatch):
    found = {}
    monkeypatch.setattr(
        "odapi.build.feature_extractor.BidirectionalPyramid",
        lambda **kwargs: found.setdefault("neck", kwargs),
    )
    monkeypatch.setattr(
        "odapi.build.feature_extractor.FeatureExtractor", lambda *a, **k: None
    )
    monkeypatch.setattr(
        "odapi.backbones.efficientnet.keras.Model", lambda *a, **k: None
    )
    config = small_config("bifpn", f"{_PATH}.type=ssd_efficientnet-b6_bifpn_keras")
    message = config.model.ssd.feature_extractor
    message.ClearField("bifpn")
    build_feature_extractor(message, _PATH, BuildContext())
    neck = found["neck"]
    assert neck["levels"] == range(3, 8)
    assert (neck["rounds"], neck["depth"], neck["method"]) == (8, 384, "sum")


@pytest.mark.parametrize(
    "override, l2",
    [
        ([], 5e-6),
        ([f"{_PATH}.override_base_feature_extractor_hyperparams=true"], 0.5e-4),
    ],
)
def test_the_backbone_keeps_its_own_but_for_the_regularisation(override, l2):
    backbone = _extractor(*override).backbone
    stem, norm = backbone.get_layer("stem_conv"), backbone.get_layer("stem_bn")
    assert stem.kernel_regularizer.l2 == pytest.approx(l2)
    assert backbone.get_layer("block1a_se_reduce").bias_regularizer.l2 == (
        pytest.approx(l2)
    )
    assert backbone.get_layer("block1a_dwconv").depthwise_regularizer is None
    assert (norm.momentum, norm.epsilon, norm.frozen) == (0.99, 0.001, False)


def test_freezing_reaches_all_norms():
    detector = build_detector(small_config("bifpn", "model.ssd.freeze_batchnorm=true"))
    frozen = [
        layer.frozen for layer in flatten_layers(detector) if hasattr(layer, "frozen")
    ]
    assert len(frozen) > 30
    assert all(frozen)


# Both the builder and the checks refuse these, at the same place.
@pytest.mark.parametrize(
    "override, place",
    [
        ("depth_multiplier=0.5", "depth_multiplier"),
        ("use_depthwise=true", "use_depthwise"),
        ("use_explicit_padding=true", "use_explicit_padding"),
        ("fpn={min_level:3 max_level:4}", "fpn"),
        ("type=ssd_mobilenet_v2_keras", "bifpn"),
        ("type=ssd_mobilenet_v2_fpn_keras", "bifpn"),
        ("bifpn.num_iterations=0", "bifpn.num_iterations"),
        ("bifpn.num_filters=0", "bifpn.num_filters"),
    ],
)
def test_what_the_original_refuses_is_refused(override, place):
    config = small_config("bifpn", f"{_PATH}.{override}")
    with pytest.raises(ConfigError) as caught:
        build_feature_extractor(
            config.model.ssd.feature_extractor, _PATH, BuildContext()
        )
    assert caught.value.place == f"{_PATH}.{place}"
    errors = {f.path for f in find(config, for_data=False) if f.is_error}
    assert f"{_PATH}.{place}" in errors


@pytest.mark.parametrize(
    "override, words",
    [
        ("bifpn.min_level=0", "has levels 1 to 5"),
        ("bifpn.min_level=6", "has levels 1 to 5"),
        ("bifpn.max_level=2", "min_level 3 is above max_level 2"),
        ("bifpn.max_level=3", "levels 3 to 3"),
        ("bifpn.combine_method=mean", "unknown method 'mean'"),
    ],
)
def test_a_pyramid_that_cannot_be_is_refused(override, words):
    with pytest.raises(ConfigError, match=words):
        _extractor(f"{_PATH}.{override}")


def test_levels_of_anchors_have_to_be_those_of_the_pyramid():
    config = small_config("bifpn", f"{_PATH}.bifpn.max_level=5")
    (finding,) = [
        f for f in find(config, for_data=False)
        if f.is_error and "anchor_generator" in f.path
    ]  # fmt: skip
    assert "feature_extractor.bifpn.max_level is 5" in finding.problem


def test_what_has_no_effect_is_told():
    overrides = [f"{_PATH}.min_depth=8", f"{_PATH}.num_layers=5"]
    config = small_config("bifpn", *overrides)
    told = {f.path for f in find(config, for_data=False) if not f.is_error}
    assert {f"{_PATH}.min_depth", f"{_PATH}.num_layers"} <= told


def test_the_checks_know_the_methods():
    from odapi.config.rules.choices import COMBINE_METHODS
    from odapi.necks import bifpn

    assert COMBINE_METHODS == bifpn.COMBINE_METHODS


def test_the_config_of_the_zoo_is_built(shared):
    name = "ssd_efficientdet_d0_512x512_coco17_tpu-8"
    detector = build_detector(load_config(shared / f"configs/tf2/{name}.config"))
    assert detector.image_size == (512, 512)
    # 3.9 million, as in the paper (table 2).
    assert detector.count_params() == 3_927_203
