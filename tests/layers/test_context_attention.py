"""Attention over a memory bank; numbers by hand."""

import numpy as np
import pytest
from keras import ops

from odapi.layers.context_attention import Attention, ContextAttention
from odapi.layers.names import named_variables

pytestmark = pytest.mark.backend

# What batch norm divides by, as long as nothing was trained.
NORM = np.sqrt(1.001)
BANK = [[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]]
BOXES = [[[2.0, 0.0], [0.0, 2.0]]]


def _layer(**changes):
    """Every projection is the identity."""
    attention = Attention(**{"bottleneck": 2, "temperature": 1.0, **changes})
    layer = ContextAttention(attention, name="context_attention")
    layer.build((None, None, 2), (None, None, 2))
    for name, variable in named_variables(layer).items():
        if name.endswith("kernel"):
            variable.assign(np.eye(2))
    return layer


def _run(layer, size, bank=BANK, boxes=BOXES, valid=((True, True),), training=False):
    arrays = (np.array(a, np.float32) for a in (boxes, bank))
    found = layer(
        *(ops.convert_to_tensor(a) for a in arrays),
        ops.convert_to_tensor(np.array(valid)),
        ops.convert_to_tensor(np.array([size], np.int32)),
        training=training,
    )
    return ops.convert_to_numpy(found)[0]


# Keys and values are [1, 0] and [0, 1], queries [1, 0] and [0, 1]: the logits are
# 1 and 0, and softmax gives e / (e + 1) = 0.7310586 to the same one.
SAME, OTHER = 0.7310586 / NORM, 0.2689414 / NORM


@pytest.mark.parametrize(
    "size, temperature, expected",
    [
        (2, 1.0, [[SAME, OTHER], [OTHER, SAME]]),
        # Nearly all to the best: e^-100 is nothing.
        (2, 0.01, [[1 / NORM, 0], [0, 1 / NORM]]),
        # One in the bank: it takes all.
        (1, 1.0, [[1 / NORM, 0], [1 / NORM, 0]]),
        # An empty bank: nothing is learned, bias and offset are 0.
        (0, 1.0, [[0, 0], [0, 0]]),
    ],
)
def test_similar_keys_have_more_weight_and_padding_none(size, temperature, expected):
    found = _run(_layer(temperature=temperature), size)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_queries_of_padding_are_zero():
    found = _run(_layer(), 2, valid=((True, False),))
    half = 0.5 / NORM  # A query of zeros: all keys are alike.
    np.testing.assert_allclose(found, [[SAME, OTHER], [half, half]], atol=1e-5)


def test_output_is_clipped_by_relu6():
    layer = _layer()
    block = layer.long_term[0][0]
    block.feature.projection.bias.assign([-5.0, 50.0])
    np.testing.assert_allclose(_run(layer, 2), [[0, 6], [0, 6]], atol=1e-5)


def test_empty_bank_returns_the_projection_of_zero():
    layer = _layer()
    layer.long_term[0][0].feature.projection.bias.assign([2.0, 0.0])
    found = _run(layer, 0)
    np.testing.assert_allclose(found, [[2 / NORM, 0], [2 / NORM, 0]], atol=1e-5)


def test_second_layer_adds_the_first_output_to_its_queries():
    found = _run(_layer(layers=2), 2)
    # Asked with [2 + SAME, OTHER] the cosines are 0.995190 and 0.097966, and softmax
    # gives 1 / (1 + e^-0.897224) = 0.710378 to the first.
    query = np.array([2 + SAME, OTHER])
    cosines = query / np.linalg.norm(query)
    np.testing.assert_allclose(cosines, [0.995190, 0.097966], atol=1e-5)
    expected = [SAME + 0.710378 / NORM, OTHER + 0.289622 / NORM]
    np.testing.assert_allclose(found, [expected, expected[::-1]], atol=1e-5)


def test_heads_are_averaged():
    layer = _layer(heads=2)
    layer.long_term[0][1].feature.projection.kernel.assign(3 * np.eye(2))
    found = _run(layer, 2)
    expected = 2 * np.array([[SAME, OTHER], [OTHER, SAME]])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_self_attention_of_boxes():
    layer = _layer(long_term=False, among_boxes=True)
    expected = [[SAME, OTHER], [OTHER, SAME]]
    np.testing.assert_allclose(_run(layer, 0), expected, atol=1e-5)
    alone = _run(layer, 0, valid=((True, False),))
    np.testing.assert_allclose(alone[0], [1 / NORM, 0], atol=1e-5)


def test_both_attentions_are_added_or_applied_in_sequence():
    side_by_side = _run(_layer(among_boxes=True), 2)
    expected = 2 * np.array([[SAME, OTHER], [OTHER, SAME]])
    np.testing.assert_allclose(side_by_side, expected, atol=1e-5)
    # Asked with the mean of [2, 0] and [SAME, OTHER]: the direction, and so the
    # answer, of the second layer above.
    in_sequence = _run(_layer(among_boxes=True, in_sequence=True), 2)
    expected = [SAME + 0.710378 / NORM, OTHER + 0.289622 / NORM]
    np.testing.assert_allclose(in_sequence, [expected, expected[::-1]], atol=1e-5)


def test_training_uses_batch_moments_and_the_biased_variance():
    layer = _layer()
    _run(layer, 2, bank=[[[1.0, 0.0], [3.0, 0.0]]], training=True)
    key = layer.long_term[0][0].key.batch_norm
    # Of 1 and 3: mean 2, variance 1; 0.97 old + 0.03 new.
    mean, variance = (
        ops.convert_to_numpy(v) for v in (key.moving_mean, key.moving_variance)
    )
    np.testing.assert_allclose(mean, [0.06, 0.0], atol=1e-6)
    np.testing.assert_allclose(variance, [1.0, 0.97], atol=1e-6)


def test_variables_are_named_by_the_structure():
    layer = _layer(among_boxes=True)
    names = {name.rsplit("/", 1)[0] for name in named_variables(layer)}
    assert names == {
        f"{block}/{part}/{kind}"
        for block in ("self_attention", "long_term_0_0")
        for part in ("query", "key", "value", "feature")
        for kind in ("projection", "batch_norm")
    }


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"temperature": 0.0}, "temperature must be above 0, got 0.0"),
        ({"bottleneck": 0}, "bottleneck must be above 0, got 0"),
        ({"long_term": False}, "set long_term, among_boxes or both"),
    ],
)
def test_invalid_attention_settings_are_rejected(changes, message):
    with pytest.raises(ValueError, match=message):
        Attention(**changes)
