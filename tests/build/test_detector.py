"""Detectors from configs: options that reach the layers, mistakes with their place."""

import keras
import numpy as np
import pytest
from google.protobuf import text_format
from keras import ops

from odapi.build import precision as precisions
from odapi.build.detector import build_detector
from odapi.build.hyperparams import BuildContext, build_hyperparams
from odapi.config.load import load_config
from odapi.config.protos import hyperparams_pb2
from odapi.errors import ConfigError
from odapi.layers.initializers import (
    GLOROT_UNIFORM,
    RandomNormal,
    TruncatedNormal,
    VarianceScaling,
)
from odapi.layers.norm import BatchNorm, Norm
from odapi.runtime.compat import flatten_layers
from small_models import small_config

_EXTRACTOR = "model.ssd.feature_extractor"
_HEAD = "model.ssd.box_predictor.convolutional_box_predictor"


def _values(detector):
    return {n: ops.convert_to_numpy(v) for n, v in detector.named_variables().items()}


@pytest.mark.backend
@pytest.mark.parametrize("family", ["ssd", "fpn"])
def test_a_seed_gives_the_same_weights(family):
    first, again, other = (
        _values(build_detector(small_config(family), seed=s)) for s in (4, 4, 5)
    )
    assert all((first[n] == again[n]).all() for n in first)
    name = "feature_extractor/backbone/Conv1/kernel"
    assert not np.allclose(first[name], other[name])


def test_the_seed_of_the_config_is_the_default():
    config = small_config("ssd", "options.seed=9")
    ours, given = _values(build_detector(config)), _values(build_detector(config, 9))
    assert all((ours[n] == given[n]).all() for n in ours)


def test_one_option_sets_the_decay_of_all_batch_norms():
    """MobileNetV2 keeps 0.9997, the rest of the model what its config says."""
    detector = build_detector(small_config("ssd", "options.batch_norm_decay=0.9"))
    norms = [x for x in flatten_layers(detector) if isinstance(x, BatchNorm)]
    assert len(norms) > 50
    assert {layer.momentum for layer in norms} == {0.9}


@pytest.mark.parametrize("decay", ["0", "1", "-0.5"])
def test_a_decay_must_be_a_share(decay):
    config = small_config("ssd", f"options.batch_norm_decay={decay}")
    message = r"batch_norm_decay: is .*; allowed is above 0 to below 1"
    with pytest.raises(ConfigError, match=message):
        build_detector(config)


def test_no_two_kernels_of_one_shape_start_alike():
    values = _values(build_detector(small_config("fpn")))
    kernels = [v for n, v in values.items() if n.endswith("kernel")]
    distinct = {v.tobytes() for v in kernels}
    assert len(distinct) == len(kernels)


@pytest.mark.parametrize(
    "name", ["ssd_mobilenet_v2_320x320", "ssd_mobilenet_v2_fpnlite_640x640"]
)
def test_configs_of_the_zoo_are_built(shared, name):
    path = shared / "configs" / "tf2" / f"{name}_coco17_tpu-8.config"
    detector = build_detector(load_config(path))
    assert detector.num_classes == 90
    assert detector.max_detections == 100
    assert detector.image_size == ((300, 300) if "320" in name else (640, 640))


@pytest.mark.parametrize(
    "name",
    [
        "ssd_resnet50_v1_fpn_1024x1024",
        "ssd_resnet101_v1_fpn_640x640",
        "ssd_mobilenet_v1_fpn_640x640",
    ],
)
def test_pyramids_of_the_zoo_have_five_levels(shared, name):
    path = shared / "configs" / "tf2" / f"{name}_coco17_tpu-8.config"
    detector = build_detector(load_config(path))
    size = detector.image_size
    grids = detector.feature_extractor.grid_sizes(size)
    assert grids == [(size[0] // n, size[1] // n) for n in (8, 16, 32, 64, 128)]


def _widths(*overrides):
    detector = build_detector(small_config("mobilenet", *overrides))
    maps = detector.feature_extractor.backbone.outputs
    return [m.shape[-1] for m in maps]


def test_mobilenet_v1_ends_narrower_below_separable_convolutions():
    assert _widths(f"{_EXTRACTOR}.use_depthwise=true") == [32, 64, 128, 128]
    assert _widths(f"{_EXTRACTOR}.use_depthwise=false") == [32, 64, 128, 256]


def test_the_ssd_of_mobilenet_v1_has_as_many_maps_as_asked_for():
    override = f"{_EXTRACTOR}.type=ssd_mobilenet_v1_keras"
    detector = build_detector(small_config("ssd", override))
    assert detector.feature_extractor.grid_sizes((64, 64)) == [(4, 4), (2, 2), (1, 1)]


def test_resnet_takes_no_separable_convolutions_as_in_the_original():
    plain, same = (
        build_detector(
            small_config(
                "retina",
                f"{_EXTRACTOR}.use_depthwise={value}",
                f"{_EXTRACTOR}.use_explicit_padding={value}",
            )
        )
        for value in ("false", "true")
    )
    assert list(plain.named_variables()) == list(same.named_variables())
    image = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), np.uint8)
    inputs = {"images": image, "true_size": np.array([[64, 64]], np.int32)}
    for a, b in zip(plain(inputs).values(), same(inputs).values(), strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(a), ops.convert_to_numpy(b))


def test_the_mean_colour_is_taken_off_for_resnet():
    config = small_config("retina")
    detector = build_detector(config)
    image = np.array([[[[124.68, 115.779, 103.939]]]], np.float32)
    image = np.broadcast_to(image, (1, 64, 64, 3))
    inputs = {"images": image, "true_size": np.array([[64, 64]], np.int32)}
    seen = ops.convert_to_numpy(detector.preprocess(inputs))
    np.testing.assert_allclose(seen[0, 5, 7], [1, -1, 0], atol=1e-4)


def _hyperparams(text):
    message = text_format.Parse(text, hyperparams_pb2.Hyperparams())
    return build_hyperparams(message, "hyperparams", BuildContext())


@pytest.mark.parametrize(
    "text, norm",
    [
        ("", None),
        ("batch_norm { }", Norm("batch", 0.999, 0.001, True, False, True)),
        (
            "batch_norm { decay: 0.97 epsilon: 0.01 center: false scale: true }",
            Norm("batch", 0.97, 0.01, False, True, True),
        ),
        ("batch_norm { train: false }", Norm(train=False)),
        ("sync_batch_norm { decay: 0.5 }", Norm("sync_batch", momentum=0.5)),
        ("group_norm { }", Norm("group")),
    ],
)
def test_norms(text, norm):
    assert _hyperparams(text).norm == norm


@pytest.mark.parametrize(
    "text, l1, l2",
    [
        ("", 0.0, 0.0),
        # Half of the squares, as the original counts, and all of the values.
        ("regularizer { l2_regularizer { weight: 0.00004 } }", 0.0, 0.00002),
        ("regularizer { l1_regularizer { weight: 0.5 } }", 0.5, 0.0),
        ("regularizer { l2_regularizer { } }", 0.0, 0.5),
    ],
)
def test_regularisers(text, l1, l2):
    hyperparams = _hyperparams(text)
    assert (hyperparams.l1, hyperparams.l2) == (l1, l2)


@pytest.mark.parametrize(
    "text, draw",
    [
        ("", GLOROT_UNIFORM),
        ("truncated_normal_initializer { stddev: 0.03 }", TruncatedNormal(0, 0.03)),
        ("random_normal_initializer { mean: 1 }", RandomNormal(1, 1)),
        ("variance_scaling_initializer { }", VarianceScaling(2.0, "fan_in", False)),
        (
            "variance_scaling_initializer { factor: 1 mode: FAN_AVG uniform: true }",
            GLOROT_UNIFORM,
        ),
        ('keras_initializer_by_name: "he_normal"', VarianceScaling(2.0, "fan_in")),
    ],
)
def test_initial_weights(text, draw):
    assert _hyperparams(f"initializer {{ {text} }}").initializer == draw


@pytest.mark.parametrize("name", ["NONE", "RELU", "RELU_6", "SWISH"])
def test_activations(name):
    assert _hyperparams(f"activation: {name}").activation == name.lower()
    assert _hyperparams("").activation == "relu"


@pytest.mark.parametrize("override", ["model.ssd.freeze_batchnorm=true", None])
def test_the_backbone_has_norms_of_its_own_unless_overridden(override):
    own = f"{_EXTRACTOR}.override_base_feature_extractor_hyperparams=false"
    detector = build_detector(small_config("ssd", *filter(None, [own, override])))
    norm = detector.feature_extractor.backbone.get_layer("bn_Conv1")
    assert norm.momentum == 0.9997
    assert norm.frozen is (override is not None)


def test_without_a_norm_convolutions_have_a_bias():
    config = small_config("ssd")
    config.model.ssd.feature_extractor.conv_hyperparams.ClearField("batch_norm")
    names = build_detector(config).named_variables()
    assert "feature_extractor/neck/map_2/reduce/bias" in names
    # The backbone has none in the original either.
    assert "feature_extractor/backbone/Conv1/bias" not in names


def test_regularize_depthwise_reaches_the_kernels_that_are_left_out():
    def count(*overrides):
        return len(build_detector(small_config("ssd", *overrides)).losses)

    flag = f"{_EXTRACTOR}.conv_hyperparams.regularize_depthwise=true"
    assert count(flag) == count() + 1  # The depthwise kernel of the third map.


def test_images_can_come_normalised():
    flag = f"{_EXTRACTOR}.replace_preprocessor_with_placeholder=true"
    detector = build_detector(small_config("ssd", flag))
    x = np.full((1, 4, 4, 3), 0.25, np.float32)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(detector.preprocess({"images": x})), x
    )


def test_explicit_padding_and_multiples_reach_the_extractor():
    extractor = build_detector(
        small_config(
            "fpn",
            f"{_EXTRACTOR}.use_explicit_padding=true",
            f"{_EXTRACTOR}.pad_to_multiple=96",
        )
    ).feature_extractor
    assert extractor.backbone.get_layer("Conv1").explicit_padding
    assert extractor.neck.extra[0].steps[0].explicit_padding
    assert extractor.grid_sizes((64, 100)) == [(6, 12), (3, 6), (2, 3)]


@pytest.mark.parametrize(
    "family, override, place",
    [
        ("ssd", "model.ssd.num_classes=0", "model.ssd.num_classes"),
        ("ssd", f'{_EXTRACTOR}.type="ssd_mobilenet_v2"', f"{_EXTRACTOR}.type"),
        ("ssd", f"{_EXTRACTOR}.num_layers=7", f"{_EXTRACTOR}.num_layers"),
        ("ssd", f"{_EXTRACTOR}.depth_multiplier=0", _EXTRACTOR),
        ("ssd", f"{_EXTRACTOR}.pad_to_multiple=0", _EXTRACTOR),
        ("fpn", f"{_EXTRACTOR}.fpn.min_level=1", f"{_EXTRACTOR}.fpn.min_level"),
        ("fpn", f"{_EXTRACTOR}.fpn.max_level=3", f"{_EXTRACTOR}.fpn"),
        # Two levels of features, three of anchors.
        ("fpn", f"{_EXTRACTOR}.fpn.max_level=5", "model.ssd"),
        ("ssd", f"{_HEAD}.dropout_keep_probability=0", f"{_HEAD}.dropout_keep"),
        ("ssd", f"{_HEAD}.min_depth=3", _HEAD),
        (
            "ssd",
            f"{_HEAD}.conv_hyperparams.initializer.keras_initializer_by_name=x",
            f"{_HEAD}.conv_hyperparams.initializer.keras_initializer_by_name",
        ),
        (
            "ssd",
            f"{_HEAD}.conv_hyperparams.batch_norm.decay=2",
            f"{_HEAD}.conv_hyperparams.batch_norm.decay",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(family, override, place):
    with pytest.raises(ConfigError) as caught:
        build_detector(small_config(family, override))
    assert caught.value.place.startswith(place)


@pytest.mark.backend
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("family", ["ssd", "fpn"])
def test_mixed_precision_on_an_accelerator(family, precision, monkeypatch):
    config = small_config(family, f"options.precision={precision.upper()}")
    monkeypatch.setattr(precisions, "computes_on_cpu", lambda: False)
    detector = build_detector(config)
    extractor = detector.feature_extractor
    kernel = extractor.backbone.get_layer("Conv1").kernel
    assert keras.backend.standardize_dtype(kernel.dtype) == "float32"
    x = {"images": np.full((1, 64, 64, 3), 201, np.uint8)}
    maps = detector.extract(x)
    assert {keras.backend.standardize_dtype(m.dtype) for m in maps} == {precision}
    outputs = detector(x)
    dtypes = {keras.backend.standardize_dtype(v.dtype) for v in outputs.values()}
    assert dtypes == {"float32"}
    detector.compile(optimizer=keras.optimizers.SGD(0.1))
    scaled = type(detector.optimizer).__name__ == "LossScaleOptimizer"
    assert scaled is (precision == "float16")
