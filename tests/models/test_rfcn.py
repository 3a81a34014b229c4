"""R-FCN: position-sensitive pooling by hand, and a detector."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.heads.rfcn_head import RfcnHead, RfcnOptions
from odapi.layers.names import named_variables
from odapi.models.two_stage.rfcn import RFCN
from small_rcnn import DETECTIONS, MAKE, large_objects, small_rcnn, some_images


def head(bins=(2, 3), crop=(4, 6), depth=1):
    made = RfcnHead(RfcnOptions(1, bins, crop, depth), MAKE, name="rfcn")
    made.build((None, 5, 7, 1))
    return made


@pytest.mark.backend
def test_each_bin_is_pooled_from_separate_maps():
    made = head()
    weights = named_variables(made)
    weights["reduce/conv/kernel"].assign(np.ones((1, 1, 1, 1)))
    # Two classes a part: the first says the number of the part, the second reads the
    # maps where the part is in the last column, and else nothing.
    kernel, bias = np.zeros((1, 1, 1, 12)), np.zeros(12)
    bias[::2] = np.arange(6)
    kernel[..., [5, 11]] = 1
    weights["class/kernel"].assign(kernel)
    weights["class/bias"].assign(bias)
    # A row counts 10, a column 1.
    maps = 10.0 * np.arange(5)[:, None] + np.arange(7)
    boxes = np.array([[[0, 0, 1, 1], [0, 0, 0.5, 0.5]]], "float32")
    classes, codes = made(maps[None, ..., None].astype("float32"), ops.array(boxes))
    classes = ops.convert_to_numpy(classes)
    assert_allclose(classes[:, 0], 2.5)
    # Middle of the last thirds: row 2 and column 5, row 1 and column 2.5; of six
    # parts two say so.
    assert_allclose(classes[:, 1], [25 / 3, 12.5 / 3], rtol=1e-5)
    assert codes.shape == (2, 1, 4)


def test_it_is_named_as_its_layers():
    assert set(named_variables(head())) == {
        f"{layer}/{kind}"
        for layer in ("reduce/conv", "class", "box")
        for kind in ("kernel", "bias")
    }


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"crop": (4, 7)}, "crop_width 7"), ({"bins": (0, 3)}, "must be 1 or more")],
)
def test_options_that_make_no_sense(options, problem):
    with pytest.raises(ValueError, match=problem):
        RfcnOptions(2, **{"bins": (2, 3), "crop": (4, 6), **options})


def test_rfcn_trains_and_detects():
    options = RfcnOptions(2, (3, 3), (6, 6), 8)
    detector = small_rcnn(kind=RFCN, boxes=RfcnHead(options, MAKE, name="rfcn"))
    inputs = some_images()
    found = detector.detect(inputs)
    assert tuple(found.boxes.shape) == (2, DETECTIONS, 4)
    outputs = detector(inputs, training=True)
    parts = detector.loss_parts(outputs, large_objects(), inputs, training=True)
    assert len(parts) == 4
    assert all(np.isfinite(ops.convert_to_numpy(v)) for v in parts.values())
