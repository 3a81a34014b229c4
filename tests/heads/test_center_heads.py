"""Heads of CenterNet: one stack per head and stage."""

import numpy as np
import pytest
from keras import ops

from odapi.heads.center_heads import CenterHeads, Head, layer_name
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.names import named_variables

pytestmark = pytest.mark.backend

STAGES = [(None, 4, 6, 5), (None, 4, 6, 5)]


def heads_of(*specs, **options):
    heads = CenterHeads(specs, Hyperparams(), name="heads", **options)
    heads.build(STAGES)
    return heads


def test_each_stage_has_separate_maps():
    heads = heads_of(Head("box/scale", 2, (8,)), Head("mask", 3, (), ()))
    x = np.ones((2, 4, 6, 5), "float32")
    found = heads([ops.convert_to_tensor(x), ops.convert_to_tensor(2 * x)])
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    assert shapes == {
        "box/scale/0": (2, 4, 6, 2),
        "box/scale/1": (2, 4, 6, 2),
        "mask/0": (2, 4, 6, 3),
        "mask/1": (2, 4, 6, 3),
    }
    one, other = (ops.convert_to_numpy(found[f"mask/{n}"]) for n in (0, 1))
    assert not np.allclose(2 * one, other)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {},
            {
                "box-scale_0/conv_0/kernel": (3, 3, 5, 8),
                "box-scale_0/conv_0/bias": (8,),
                "box-scale_0/conv_1/kernel": (1, 5, 8, 4),
                "box-scale_0/conv_1/bias": (4,),
                "box-scale_0/predict/kernel": (1, 1, 4, 2),
                "box-scale_0/predict/bias": (2,),
            },
        ),
        (
            {"use_depthwise": True},
            {
                "box-scale_0/conv_0/depthwise_kernel": (3, 3, 5, 1),
                "box-scale_0/conv_0/pointwise_kernel": (1, 1, 5, 8),
                "box-scale_0/conv_0/bias": (8,),
                "box-scale_0/conv_1/depthwise_kernel": (1, 5, 8, 1),
                "box-scale_0/conv_1/pointwise_kernel": (1, 1, 8, 4),
                "box-scale_0/conv_1/bias": (4,),
                "box-scale_0/predict/kernel": (1, 1, 4, 2),
                "box-scale_0/predict/bias": (2,),
            },
        ),
    ],
)
def test_layers_are_those_of_the_spec(options, expected):
    heads = heads_of(Head("box/scale", 2, (8, 4), (3, (1, 5))), **options)
    shapes = {n: tuple(v.shape) for n, v in named_variables(heads).items()}
    assert {n: s for n, s in shapes.items() if n.startswith("box-scale_0/")} == expected


def test_the_first_bias_is_that_of_the_spec():
    heads = heads_of(Head("object_center", 2, (4,), bias=-2.19))
    values = named_variables(heads)
    bias = ops.convert_to_numpy(values["object_center_1/predict/bias"])
    np.testing.assert_allclose(bias, [-2.19, -2.19])
    assert (ops.convert_to_numpy(values["object_center_1/conv_0/bias"]) == 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", 2, (8,), (3, 3)), "as many num_filters as kernel_sizes, got 1 and 2"),
        (("a", 0), "1 or more channels"),
        (("a", 2, (0,), (3,)), "1 or more channels"),
    ],
)
def test_heads_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Head(*arguments)


def test_names_of_layers_have_no_borders_of_paths():
    assert layer_name("a.b/keypoint/heatmap") == "a_b-keypoint-heatmap"
