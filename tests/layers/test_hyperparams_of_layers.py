"""Hyperparameters of layers: bias, regularization, names, activations."""

import keras
import numpy as np
import pytest
from keras import ops

from odapi.layers.hyperparams import BOTH, DEPTHWISE, NEITHER, Hyperparams
from odapi.layers.initializers import RandomNormal
from odapi.layers.names import named_variables
from odapi.layers.norm import Norm
from odapi.layers.stack import Stack, conv_norm_activation


@pytest.mark.parametrize(
    "norm, force, bias",
    [
        (None, False, True),
        (Norm(), False, False),
        (Norm(center=False), False, True),
        (Norm(), True, True),
        (Norm("group"), False, False),
    ],
)
def test_bias_is_omitted_if_the_norm_has_an_offset(norm, force, bias):
    hyperparams = Hyperparams(norm=norm, force_use_bias=force)
    assert hyperparams.conv(4, 3, "conv").use_bias is bias
    assert hyperparams.conv(4, 3, "conv", use_bias=True).use_bias is True


@pytest.mark.parametrize(
    "applies_to, flag, depthwise, pointwise",
    [
        (DEPTHWISE, False, True, False),
        (BOTH, False, True, True),
        (NEITHER, False, False, False),
        (NEITHER, True, True, False),
    ],
)
def test_regularized_kernels_of_a_separable_convolution(
    applies_to, flag, depthwise, pointwise
):
    hyperparams = Hyperparams(
        initializer=RandomNormal(7.0, 0.1), l2=0.1, regularize_depthwise=flag
    )
    conv = hyperparams.separable(4, 3, "conv", applies_to)
    conv.build((None, 8, 8, 2))
    assert (conv.depthwise_kernel.regularizer is not None) is depthwise
    assert (conv.pointwise_kernel.regularizer is not None) is pointwise
    ours = [ops.convert_to_numpy(k).mean() > 6 for k in conv.trainable_variables[:2]]
    assert ours == [applies_to != NEITHER, applies_to == BOTH]


def test_regularization_is_the_weighted_sum_of_the_kernels_only():
    hyperparams = Hyperparams(l1=0.5, l2=0.25)
    conv = hyperparams.conv(1, 1, "conv", bias=9.0)
    conv.build((None, 1, 1, 2))
    conv.set_weights([np.array([[[[3.0], [-1.0]]]]), np.array([9.0])])
    # 0.5 * (3 + 1) + 0.25 * (9 + 1)
    assert float(ops.convert_to_numpy(sum(conv.losses))) == pytest.approx(4.5)


def test_variables_are_named_by_their_enclosing_layers():
    hyperparams = Hyperparams(norm=Norm(scale=True), activation="swish")
    conv = hyperparams.depthwise(3, "a/b/conv")
    stack = Stack(conv_norm_activation(conv, hyperparams), name="block")
    outer = Stack([stack, keras.layers.Dropout(0.5, seed=1)], name="outer")
    outer.build((None, 8, 8, 2))
    assert list(named_variables(outer)) == [
        "block/conv/kernel",
        "block/conv_norm/gamma",
        "block/conv_norm/beta",
        "block/conv_norm/moving_mean",
        "block/conv_norm/moving_variance",
    ]


def test_duplicate_variable_names_are_an_error():
    twins = [keras.layers.Dense(2, name="dense") for _ in range(2)]
    stack = Stack(twins, name="stack")
    stack.build((None, 2))
    with pytest.raises(ValueError, match="dense/kernel"):
        named_variables(stack)


@pytest.mark.parametrize(
    "name, inputs, expected",
    [
        ("none", [-1.0, 7.0], [-1.0, 7.0]),
        ("relu", [-1.0, 7.0], [0.0, 7.0]),
        ("relu_6", [-1.0, 7.0], [0.0, 6.0]),
        ("swish", [0.0, 7.0], [0.0, 6.9936]),
    ],
)
def test_activations(name, inputs, expected):
    outputs = Hyperparams(activation=name).activate(np.array(inputs, np.float32))
    np.testing.assert_allclose(ops.convert_to_numpy(outputs), expected, atol=1e-4)


def test_unknown_activation_is_rejected():
    with pytest.raises(ValueError, match="relu_6"):
        Hyperparams(activation="gelu")
