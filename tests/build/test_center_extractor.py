"""The options of CenterNet's extractors: each works or is refused."""

import numpy as np
import pytest
from google.protobuf import text_format
from keras import ops

from odapi.build.center_extractor import build_center_extractor, center_pixel_scaling
from odapi.build.hyperparams import BuildContext
from odapi.checkpoints import pretrained
from odapi.config.protos.center_net_pb2 import CenterNetFeatureExtractor
from odapi.errors import ConfigError
from odapi.layers.names import named_variables
from odapi.models.preprocess import normalize


def _config(text):
    return text_format.Parse(text, CenterNetFeatureExtractor())


def _build(text):
    extractor = build_center_extractor(_config(text), "extractor", BuildContext())
    extractor.build((None, 64, 64, 3))
    return extractor


# A pixel of red 10, green 100, blue 200.
@pytest.mark.backend
@pytest.mark.parametrize(
    "text, expected",
    [
        ('type: "hourglass_10"', [10, 100, 200]),
        ('type: "hourglass_10" bgr_ordering: true', [200, 100, 10]),
        (
            'type: "hourglass_104" bgr_ordering: true channel_means: [100, 50, 5] '
            "channel_stds: [50, 25, 2.5]",
            [2, 2, 2],
        ),
        ('type: "hourglass_10" channel_means: 10 channel_stds: 10', [0, 9, 19]),
        # Blue first, minus the mean colour.
        ('type: "resnet_v1_50_fpn"', [96.061, -16.779, -113.68]),
        # What comes in blue first is turned once more.
        ('type: "resnet_v1_18_fpn" bgr_ordering: true', [-93.939, -16.779, 76.32]),
        (
            'type: "resnet_v1_50_fpn" channel_means: [10, 20, 30] '
            "channel_stds: [1, 2, 10]",
            [17 - 103.939, 40 - 116.779, 0 - 123.68],
        ),
        ('type: "resnet_v2_50"', [10 / 127.5 - 1, 100 / 127.5 - 1, 200 / 127.5 - 1]),
        (
            'type: "mobilenet_v2" channel_stds: [0.5, 1, 2]',
            [20 / 127.5 - 1, 100 / 127.5 - 1, 100 / 127.5 - 1],
        ),
    ],
)
def test_pixels(text, expected):
    scaling = center_pixel_scaling(_config(text), "extractor")
    pixel = np.array([10, 100, 200], np.uint8).reshape(1, 1, 1, 3)
    found = ops.convert_to_numpy(normalize(pixel, scaling)).ravel()
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize(
    "text, place, words",
    [
        ('type: "hourglass_11"', "type", "did you mean 'hourglass_10'"),
        ('type: "resnet_v2_50" depth_multiplier: 0.5', "depth_multiplier", "no such"),
        ('type: "hourglass_10" depth_multiplier: 2', "depth_multiplier", "no such"),
        (
            'type: "resnet_v1_50_fpn" use_separable_conv: true',
            "use_separable_conv",
            "no such",
        ),
        ('type: "mobilenet_v2" use_separable_conv: true', "use_separable_conv", "no"),
        (
            'type: "mobilenet_v2" upsampling_interpolation: "bilinear"',
            "upsampling_interpolation",
            "no such",
        ),
        (
            'type: "mobilenet_v2_fpn" upsampling_interpolation: "lanczos3"',
            "upsampling_interpolation",
            "bilinear",
        ),
        ('type: "mobilenet_v2_fpn" depth_multiplier: 0', "depth_multiplier", "above 0"),
    ],
)
def test_what_an_extractor_does_not_have_is_refused(text, place, words):
    with pytest.raises(ConfigError, match=words) as error:
        _build(text)
    assert f"extractor.{place}" in str(error.value)


@pytest.mark.parametrize(
    "text, words",
    [
        ("channel_means: [1, 2]", "has 2 values; give 3"),
        ("channel_stds: [1, 2, 3, 4]", "has 4 values"),
        ("channel_stds: [1, 0, 1]", "above 0"),
    ],
)
def test_there_is_one_number_a_channel(text, words):
    with pytest.raises(ConfigError, match=words):
        center_pixel_scaling(_config(f'type: "hourglass_10" {text}'), "extractor")


def test_options_of_mobilenet():
    shapes = {
        text: {
            name: tuple(variable.shape)
            for name, variable in named_variables(_build(f'type: "{text}')).items()
        }
        for text in (
            'mobilenet_v2_fpn"',
            'mobilenet_v2_fpn" depth_multiplier: 0.5',
            'mobilenet_v2_fpn" use_separable_conv: true',
            'mobilenet_v2_fpn_sep_conv"',
        )
    }
    plain, narrow, separable, alias = shapes.values()
    assert plain["backbone/Conv_1/kernel"] == (1, 1, 320, 1280)
    assert narrow["backbone/Conv_1/kernel"] == (1, 1, 160, 640)
    assert plain["neck/smoothing_0/conv/kernel"] == (3, 3, 64, 32)
    assert separable["neck/smoothing_0/conv/pointwise_kernel"] == (1, 1, 64, 32)
    assert separable == alias


@pytest.mark.parametrize("kind", ["mobilenet_v2", "mobilenet_v2_fpn"])
def test_imagenet_weights_fit_by_name(shared, kind):
    arrays = pretrained.read(shared / "pretrained" / "mobilenet_v2_imagenet.npz")
    variables = named_variables(_build(f'type: "{kind}"').backbone)
    assert {n: tuple(v.shape) for n, v in variables.items()} == {
        n: a.shape for n, a in arrays.items() if not n.startswith("predictions/")
    }
