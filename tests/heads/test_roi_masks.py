"""Mask head: shapes, depths, and equality with plain convolutions."""

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.heads.roi_masks import RoiMaskOptions, RoiMasks
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.initializers import RandomNormal
from odapi.layers.names import named_variables
from odapi.layers.norm import Norm
from odapi.layers.resample import align_corners_weights, repeat_weights

pytestmark = pytest.mark.backend
PLAIN = Hyperparams(initializer=RandomNormal(stddev=0.3))
FEATURES = np.random.default_rng(0).normal(size=(3, 4, 5, 6)).astype("float32")


def _head(hyperparams=PLAIN, **options):
    head = RoiMasks(RoiMaskOptions(**{"num_classes": 2, **options}), hyperparams)
    head.build((None, *FEATURES.shape[1:]))
    for name, variable in named_variables(head).items():
        if name.endswith("bias"):
            variable.assign(np.arange(variable.shape[0]) * 0.1)
    return head


def _run(head, *args, **kwargs):
    return ops.convert_to_numpy(head(ops.array(FEATURES), *args, **kwargs))


def _by_the_book(head, x):
    """Scales, then convolves, layer by layer."""

    def scaled(x):
        rows, columns = (np.asarray(m, "float32") for m in head.scaling)
        return np.einsum("Hh,Ww,nhwc->nHWc", rows, columns, x)

    def conv(x, layer):
        x = ops.conv(
            ops.array(x), layer.kernel, padding="same", data_format="channels_last"
        )
        return ops.convert_to_numpy(x + layer.bias)

    upsample = head.options.upsample_last
    x = x if upsample else scaled(x)
    for n, layer in enumerate(head.convs):
        if upsample and n == len(head.convs) - 1:
            x = scaled(x)
        x = np.maximum(conv(x, layer), 0)
    return conv(x, head.predict).transpose(0, 3, 1, 2)


@pytest.mark.parametrize(
    "options",
    [
        {"size": (7, 9), "num_layers": 3, "depth": 4},
        {"size": (7, 9), "num_layers": 1},
        {"size": (2, 3), "depth": 4},
        {"size": (1, 1), "depth": 4},
        {"size": (8, 15), "num_layers": 1, "depth": 4, "upsample_last": True},
        {"size": (8, 10), "num_layers": 3, "depth": 4, "upsample_last": True},
    ],
)
def test_the_same_as_scaling_and_convolving(options):
    head = _head(**options)
    expected = _by_the_book(head, FEATURES)
    found = _run(head)
    assert found.shape == (3, 2, *options["size"])
    assert_allclose(found, expected, atol=1e-4)
    classes = np.array([1, 0, 1], "int32")
    own = _run(head, classes=ops.array(classes))
    assert_allclose(own, expected[np.arange(3), classes], atol=1e-4)


def test_one_mask_for_all_classes():
    head = _head(size=(7, 9), num_layers=2, depth=4, class_agnostic=True)
    found = _run(head)
    assert found.shape == (3, 1, 7, 9)
    own = _run(head, classes=ops.array([1, 0, 1], dtype="int32"))
    assert_allclose(own, found[:, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("channels", "classes", "depth", "expected"),
    [
        (1536, 90, 0, 256),
        (1024, 90, 0, 256),
        (2048, 1, 0, 16),
        (8, 1000, 0, 128),
        (8, 1, 7, 7),
    ],
)
def test_automatic_and_explicit_depth(channels, classes, depth, expected):
    options = RoiMaskOptions(classes, depth=depth)
    assert options.depth_for(channels) == expected


def test_names_of_the_layers():
    norm = Hyperparams(norm=Norm(), initializer=RandomNormal())
    head = _head(norm, size=(8, 10), num_layers=2, upsample_last=True)
    names = {name.partition("/")[0] for name in named_variables(head)}
    assert names == {"conv_0", "conv_0_norm", "upsample", "upsample_norm", "predict"}
    before = _run(head)
    _run(head, training=True)
    assert np.abs(_run(head) - before).max() > 0.01  # Statistics have moved.


def test_gradients_reach_all_weights():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("one backend is enough")
    import tensorflow as tf

    head = _head(size=(7, 9), num_layers=3, depth=4)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(head(FEATURES, classes=tf.constant([0, 1, 1])) ** 2)
    gradients = tape.gradient(loss, head.trainable_variables)
    assert len(gradients) == 6 and all(np.abs(g).max() > 0 for g in gradients)


def test_cells_between_corners():
    table = align_corners_weights(3, 5)
    assert table.tolist() == [
        [1, 0, 0], [0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5], [0, 0, 1],
    ]  # fmt: skip
    assert align_corners_weights(3, 1).tolist() == [[1, 0, 0]]
    assert align_corners_weights(1, 2).tolist() == [[1], [1]]


def test_features_are_repeated_an_integer_number_of_times():
    assert repeat_weights(2, 4).tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]
    with pytest.raises(ValueError, match="multiple of the feature size 4"):
        _head(size=(15, 15), upsample_last=True)


@pytest.mark.parametrize("name", ["num_layers", "num_classes"])
def test_options_that_make_no_sense(name):
    with pytest.raises(ValueError, match=name):
        RoiMaskOptions(**{"num_classes": 1, name: 0})
