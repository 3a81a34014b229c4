"""The contract of the feature extractors of CenterNet."""

import dataclasses

import numpy as np
import pytest
from keras import ops

from odapi.backbones.table import CENTER_EXTRACTORS
from odapi.build.center_extractor import build_center_extractor, center_pixel_scaling
from odapi.build.hyperparams import BuildContext
from odapi.config.protos.center_net_pb2 import CenterNetFeatureExtractor
from odapi.layers.names import named_variables
from odapi.zoo.names.center_extractor_keys import center_extractor_keys

pytestmark = pytest.mark.backend
# More blocks or channels of the same kind; they take seconds, or gigabytes.
_LARGER = {
    "resnet_v2_101", "resnet_v1_101_fpn", "resnet_v1_34_fpn", "hourglass_20",
    "hourglass_32", "hourglass_52", "hourglass_104",
}  # fmt: skip
_CHANNELS = {
    "hourglass_10": 64,
    "mobilenet_v2_fpn": 24,
    "mobilenet_v2_fpn_sep_conv": 24,
}
_SETTING = BuildContext(seed=3)


def build(kind, context=_SETTING):
    config = CenterNetFeatureExtractor(type=kind)
    extractor = build_center_extractor(config, "feature_extractor", context)
    extractor.build((None, 64, 64, 3))
    return extractor


@pytest.fixture(scope="module", params=sorted(set(CENTER_EXTRACTORS) - _LARGER))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def extractor(kind):
    return build(kind)


def _image(kind, height, width, images=1):
    raw = np.random.default_rng(0).integers(0, 256, (images, height, width, 3))
    pixels = center_pixel_scaling(CenterNetFeatureExtractor(type=kind), "")
    x = raw[..., ::-1] if pixels.reverse else raw
    x = (x - np.array(pixels.mean)) / np.array(pixels.deviation)
    return (x * np.array(pixels.scale) + np.array(pixels.offset)).astype(np.float32)


# A size that every stride divides, and one that stride 4 does not.
@pytest.mark.parametrize("size, cells", [((64, 64), (16, 16)), ((70, 45), (18, 12))])
def test_one_cell_for_every_four_pixels(kind, extractor, size, cells):
    maps = extractor(_image(kind, *size), training=False)
    shape = (1, *cells, _CHANNELS.get(kind, 64))
    assert [tuple(m.shape) for m in maps] == [shape]
    assert extractor.compute_output_shape((1, *size, 3)) == [shape]
    assert extractor.grid_sizes(size) == [cells]
    values = ops.convert_to_numpy(maps[0])
    assert np.isfinite(values).all() and values.std() > 0


def test_every_weight_has_a_key_of_its_own(extractor):
    keys = center_extractor_keys(extractor)
    assert set(keys) == set(named_variables(extractor))
    assert len(set(keys.values())) == len(keys)


def test_the_seed_makes_the_weights(kind, extractor):
    same, other = build(kind), build(kind, dataclasses.replace(_SETTING, seed=4))
    for name, variable in named_variables(extractor).items():
        if not name.endswith("kernel"):
            continue
        value = ops.convert_to_numpy(variable)
        assert (ops.convert_to_numpy(named_variables(same)[name]) == value).all()
        assert (ops.convert_to_numpy(named_variables(other)[name]) != value).any()
        # Glorot, or the normal weights of MobileNet: no two layers are alike.
        assert value.std() > 0
        break


def test_statistics_move_in_training_and_stay_when_frozen(kind, extractor):
    image = _image(kind, 64, 64, images=2)
    frozen = build(kind, dataclasses.replace(_SETTING, freeze_norm=True))
    for model, moves in ((extractor, True), (frozen, False)):
        before = [ops.convert_to_numpy(v) for v in model.non_trainable_variables]
        model(image, training=True)
        after = [ops.convert_to_numpy(v) for v in model.non_trainable_variables]
        same = [(a == b).all() for a, b in zip(before, after, strict=True)]
        assert not any(same) if moves else all(same)
