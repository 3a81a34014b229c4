"""The options of two-stage extractors: each works or is refused."""

import functools

import pytest
from google.protobuf import text_format

from odapi.backbones.table import RCNN_EXTRACTORS
from odapi.build.hyperparams import BuildContext
from odapi.build.rcnn_extractor import build_rcnn_extractor
from odapi.config.protos.faster_rcnn_pb2 import FasterRcnnFeatureExtractor
from odapi.errors import ConfigError
from odapi.layers.norm import BatchNorm
from odapi.layers.pixels import MINUS_MEAN_RGB, MINUS_ONE_TO_ONE
from odapi.runtime.compat import flatten_layers

_C4 = 'type: "faster_rcnn_resnet50_keras" '
_FPN = 'type: "faster_rcnn_resnet50_fpn_keras" '
_INCEPTION = 'type: "faster_rcnn_inception_resnet_v2_keras" '
_NORM = "conv_hyperparams { batch_norm { epsilon: 0.01 } } "
_TRAINED = _C4 + "batch_norm_trainable: true pad_to_multiple: 64"
_SMALL = (
    f"{_FPN} {_NORM} override_base_feature_extractor_hyperparams: true "
    "batch_norm_trainable: true pad_to_multiple: 1 "
    "fpn { min_level: 3 max_level: 4 additional_layer_depth: 8 }"
)


@functools.cache  # Nothing changes what was built.
def _build(text, context=None):
    config = text_format.Parse(text, FasterRcnnFeatureExtractor())
    return build_rcnn_extractor(config, "extractor", context or BuildContext())


def _shapes(text, size):
    found = _build(text).feature_extractor.compute_output_shape((None, *size, 3))
    return [shape[1:] for shape in found]


def test_every_key_of_the_original_is_there():
    assert set(RCNN_EXTRACTORS) == {
        "faster_rcnn_resnet50_keras",
        "faster_rcnn_resnet101_keras",
        "faster_rcnn_resnet152_keras",
        "faster_rcnn_inception_resnet_v2_keras",
        "faster_rcnn_resnet50_fpn_keras",
        "faster_rcnn_resnet101_fpn_keras",
        "faster_rcnn_resnet152_fpn_keras",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_C4, [(7, 4, 1024)]),
        (_C4 + "first_stage_features_stride: 8", [(13, 7, 1024)]),
        (_TRAINED, [(8, 4, 1024)]),
        (_INCEPTION, [(7, 4, 1088)]),
        (_INCEPTION + "first_stage_features_stride: 8", [(13, 7, 1088)]),
        # Padded to 128 x 64.
        (
            _FPN + _NORM,
            [(32, 16, 256), (16, 8, 256), (8, 4, 256), (4, 2, 256), (2, 1, 256)],
        ),
        (_SMALL, [(13, 7, 8), (7, 4, 8)]),
    ],
)
def test_maps(text, expected):
    assert _shapes(text, (100, 52)) == expected


@pytest.mark.parametrize(
    ("text", "crop", "expected"),
    [
        (_C4, (7, 7, 1024), (4, 4, 2048)),
        # Also where the maps have stride 8.
        (_C4 + "first_stage_features_stride: 8", (14, 14, 1024), (7, 7, 2048)),
        (_INCEPTION, (17, 17, 1088), (9, 9, 1536)),
        (_FPN + _NORM, (7, 7, 256), (1, 1, 1024)),
    ],
)
def test_features_of_crops(text, crop, expected):
    roi_features = _build(text).roi_features
    assert roi_features.name == "roi_features"
    assert roi_features.compute_output_shape((None, *crop)) == (None, *expected)


@pytest.mark.parametrize(
    ("text", "frozen", "epsilon", "scaling"),
    [
        (_C4, True, 1e-5, MINUS_MEAN_RGB),
        (_TRAINED, False, 1e-5, MINUS_MEAN_RGB),
        (_INCEPTION, True, 0.001, MINUS_ONE_TO_ONE),
        (_FPN + _NORM, True, 1e-5, MINUS_MEAN_RGB),
        (_SMALL, False, 0.01, MINUS_MEAN_RGB),
    ],
)
def test_norms(text, frozen, epsilon, scaling):
    extractor = _build(text)
    assert extractor.pixels == scaling
    backbone = extractor.feature_extractor.backbone
    layers = [*flatten_layers(backbone), *flatten_layers(extractor.roi_features)]
    norms = [layer for layer in layers if isinstance(layer, BatchNorm)]
    assert {layer.frozen for layer in norms} == {frozen}
    first = next(layer for layer in backbone.layers if isinstance(layer, BatchNorm))
    assert first.epsilon == pytest.approx(epsilon)


def test_the_model_can_freeze_all_norms():
    backbone = _build(
        _TRAINED, BuildContext(freeze_norm=True)
    ).feature_extractor.backbone
    norms = [layer for layer in backbone.layers if isinstance(layer, BatchNorm)]
    assert all(layer.frozen for layer in norms)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('type: "faster_rcnn_resnet51"', "did you mean"),
        (_C4 + "first_stage_features_stride: 32", "must be 8 or 16, got 32"),
        (_C4 + "pad_to_multiple: 0", "is 0; allowed is 1"),
        (_C4 + "fpn { }", "fpn: has no effect on faster_rcnn_resnet50_keras"),
        (_INCEPTION + _NORM, "conv_hyperparams: has no effect"),
        (_FPN, "conv_hyperparams: is missing"),
        (_FPN + "fpn { min_level: 1 }", "levels 2 to 5"),
        (_FPN + "fpn { min_level: 6 }", "levels 2 to 5"),
        (
            _FPN + "fpn { min_level: 4 max_level: 3 }",
            "min_level 4 is above max_level 3",
        ),
        (_FPN + "fpn { additional_layer_depth: 0 }", "is 0; allowed is 1"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(ConfigError) as caught:
        _build(text)
    assert message in str(caught.value)
