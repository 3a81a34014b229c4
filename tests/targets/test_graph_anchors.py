"""Anchors of sizes that are tensors equal those of the generators."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.targets.anchors import (
    FlexibleGrid,
    FlexibleGridAnchors,
    GridAnchors,
    PyramidAnchors,
    SsdAnchors,
)
from odapi.targets.graph_anchors import anchors_of_size

pytestmark = pytest.mark.backend

GENERATORS = {
    "grid": GridAnchors(scales=(0.5, 1.0), aspect_ratios=(1.0, 2.0), offset=(7, -3)),
    "pyramid": PyramidAnchors(4, 5, 3.0, (1.0, 0.5), 2),
    "flexible": FlexibleGridAnchors(
        (
            FlexibleGrid((10.0, 20.0), (1.0, 2.0), (8.0, 16.0), (4.0, 8.0)),
            FlexibleGrid((30.0,), (0.5,), (32.0, 32.0)),
        )
    ),
    "ssd": SsdAnchors.spaced(2, 0.2, 0.9, base_size=(1.0, 0.5)),
    "ssd with strides": SsdAnchors(
        (0.2, 0.5),
        (1.0, 3.0),
        reduce_lowest=False,
        strides=((16.0, 8.0), (32.0, 32.0)),
        offsets=((8.0, 4.0), (0.0, 1.0)),
    ),
}


def _tensor(number):
    return ops.convert_to_tensor(np.int32(number))


# The stride of the pyramid divides both sides, one side, and none.
@pytest.mark.parametrize("size", [(64, 96), (64, 100), (33, 50)])
@pytest.mark.parametrize("name", GENERATORS)
def test_anchors_equal_those_of_the_generator(name, size):
    generator = GENERATORS[name]
    grids = [(3, 5), (2, 1)][: len(generator.per_location)]
    tensors = [tuple(map(_tensor, grid)) for grid in grids]
    found = anchors_of_size(generator, tuple(map(_tensor, size)), tensors)
    assert_allclose(ops.convert_to_numpy(found), generator(size, grids), atol=1e-6)
    found = anchors_of_size(generator, size, grids)
    assert_allclose(ops.convert_to_numpy(found), generator(size, grids), atol=0)
