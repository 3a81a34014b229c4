"""The head of a region proposal network."""

import numpy as np
import pytest
from keras import ops

from odapi.heads.rpn_head import RPN_BOXES, RPN_CLASSES, ProposalHead
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.names import named_variables

pytestmark = pytest.mark.backend


def head(shapes, per_location=(1,), **options):
    made = ProposalHead(per_location, Hyperparams(), name="rpn", **options)
    made.build(shapes)
    for variable in named_variables(made).values():
        if variable.name == "kernel":
            variable.assign(np.ones(variable.shape, "float32"))
    return made


@pytest.mark.parametrize(
    ("value", "seen"),
    [(1.0, 1.0), (-1.0, 0.0), (9.0, 6.0)],  # ReLU up to 6, whatever is configured
)
def test_one_pixel_goes_through_both_layers(value, seen):
    rpn = head([(None, 1, 1, 1)], depth=2)
    said = rpn([ops.full((1, 1, 1, 1), value)])
    assert ops.convert_to_numpy(said[RPN_BOXES]).tolist() == [[[2 * seen] * 4]]
    assert ops.convert_to_numpy(said[RPN_CLASSES]).tolist() == [[[2 * seen] * 2]]


def test_dilated_convolution_has_a_larger_receptive_field():
    rpn = head([(None, 5, 5, 1)], depth=1, dilation=2)
    pixels = np.zeros((1, 5, 5, 1), "float32")
    pixels[0, 2, 2] = 1.0
    (hidden,) = rpn.hidden_maps([ops.convert_to_tensor(pixels)])
    rows, columns = np.nonzero(ops.convert_to_numpy(hidden)[0, :, :, 0])
    assert sorted({*rows.tolist(), *columns.tolist()}) == [0, 2, 4]


def test_levels_share_the_convolution_and_anchors_are_joined():
    shapes = [(None, 4, 6, 8), (None, 2, 3, 8)]
    rpn = head(shapes, per_location=(3, 2), depth=4)
    said = rpn([ops.zeros((2, *s[1:])) for s in shapes])
    assert said[RPN_BOXES].shape == (2, 4 * 6 * 3 + 2 * 3 * 2, 4)
    assert said[RPN_CLASSES].shape == (2, 4 * 6 * 3 + 2 * 3 * 2, 2)
    kernels = [n for n in named_variables(rpn) if n.endswith("kernel")]
    assert sorted(kernels) == [
        "predict/box_0/predict/kernel",
        "predict/box_1/predict/kernel",
        "predict/class_0/predict/kernel",
        "predict/class_1/predict/kernel",
        "shared/conv/kernel",
    ]


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("depth", "first_stage_box_predictor_depth"),
        ("kernel_size", "first_stage_box_predictor_kernel_size"),
        ("dilation", "first_stage_atrous_rate"),
    ],
)
def test_values_below_one_are_refused(option, name):
    with pytest.raises(ValueError, match=f"{name} must be 1 or more, got 0"):
        ProposalHead((1,), Hyperparams(), **{option: 0})
