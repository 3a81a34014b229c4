"""The contract of the feature extractors in the table."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from odapi.backbones.table import SSD_EXTRACTORS
from odapi.layers.names import named_variables

pytestmark = pytest.mark.backend
_SIZE = 64
# The function of ResNet-50, with more blocks of the same kind; they take seconds.
_DEEPER = {"ssd_resnet101_v1_fpn_keras", "ssd_resnet152_v1_fpn_keras"}


# EfficientNets differ in the number of blocks and channels alone: B0 is enough.
_LARGE = {f"ssd_efficientnet-b{n}_bifpn_keras" for n in range(1, 8)}


@pytest.fixture(scope="module", params=sorted(set(SSD_EXTRACTORS) - _DEEPER - _LARGE))
def row(request):
    return SSD_EXTRACTORS[request.param]


@pytest.fixture(scope="module")
def backbone(row):
    return row.backbone(
        endpoints=row.endpoints,
        hyperparams=row.hyperparams,
        width=0.25,
        min_depth=8,
        explicit_padding=False,
    )


def test_feature_maps_have_the_stride_of_their_level(row, backbone):
    image = np.random.default_rng(0).random((1, _SIZE, _SIZE, 3)).astype(np.float32)
    maps = backbone(image)
    assert len(maps) == len(row.endpoints)
    shapes = [tuple(m.shape) for m in maps]
    assert [s[1:] for s in backbone.compute_output_shape((1, _SIZE, _SIZE, 3))] == [
        s[1:] for s in shapes
    ]
    if row.pyramid:
        strides = [2**n for n in range(row.first_level, row.last_level + 1)]
        assert [_SIZE // s[1] for s in shapes] == strides
    assert all(np.isfinite(ops.convert_to_numpy(m)).all() for m in maps)


def test_names_are_unique_and_shared_with_every_width(row, backbone):
    wide = row.backbone(
        endpoints=row.endpoints,
        hyperparams=row.hyperparams,
        width=0.5,
        min_depth=8,
        explicit_padding=True,
    )
    assert list(named_variables(wide)) == list(named_variables(backbone))


def test_freezing_leaves_the_statistics_alone(row):
    frozen = row.backbone(
        endpoints=row.endpoints,
        hyperparams=dataclasses.replace(row.hyperparams.frozen(), seed=3),
        width=0.25,
        min_depth=8,
        explicit_padding=False,
    )
    image = np.random.default_rng(0).random((2, _SIZE, _SIZE, 3)).astype(np.float32)
    for layer in frozen.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0  # What is dropped is another matter.
    before = [ops.convert_to_numpy(v) for v in frozen.non_trainable_variables]
    training = frozen(image, training=True)
    after = [ops.convert_to_numpy(v) for v in frozen.non_trainable_variables]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))
    for a, b in zip(training, frozen(image, training=False), strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(a), ops.convert_to_numpy(b), atol=1e-5
        )
