"""Steps that render images or copy objects give consistent batches."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from painted import COLORS, painted

from odapi.data.augment.crop_pad import SsdRandomCropPad
from odapi.data.augment.flip import Rotation90
from odapi.data.augment.labels import DropLabel
from odapi.data.augment.resize import DownscaleToPixels, ImageScale, Resize
from odapi.data.augment.self_concat import SelfConcat
from odapi.data.image.resize import FixedShape, KeepAspectRatio
from odapi.data.loader.collate import Collate
from odapi.data.loader.order import Order
from odapi.data.loader.pipeline import Pipeline
from odapi.data.sources.sequence import SequenceSource

CHAINS = {
    "copies": (SelfConcat(1.0, 1.0), Rotation90(0.5)),
    "small, then turned": (Resize(FixedShape(30, 50)), Rotation90(1.0)),
    "scaled copies": (ImageScale(), SelfConcat(0.5, 0.5), SsdRandomCropPad()),
    "few pixels": (DropLabel(0), DownscaleToPixels(3000, 4000), SsdRandomCropPad()),
}
RESIZERS = (FixedShape(64, 96), KeepAspectRatio(64, 96, pad_to_max=True))


@pytest.mark.parametrize("resizer", RESIZERS, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("steps", CHAINS.values(), ids=CHAINS)
def test_masks_of_a_batch_fit_its_boxes_and_pixels(steps, resizer):
    source = SequenceSource([painted(), painted()], ["a", "b", "c"])
    collate = Collate(4, 24, ("masks", "track_ids"))
    with Pipeline(source, resizer, collate, Order(), steps) as pipeline:
        batch = next(pipeline)
    truth = batch.groundtruth
    size = np.array(batch.images.shape[1:3])
    seen = 0
    for row, image in enumerate(batch.images):
        for index in np.flatnonzero(truth.valid[row]):
            mask = truth.masks[row, index] == 1
            if mask.sum() < 40:
                continue
            seen += 1
            rows, columns = np.nonzero(mask)
            edges = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
            box = truth.boxes[row, index] * np.tile(size, 2)
            assert_allclose(box, edges, atol=4)
            color = COLORS[truth.track_ids[row, index]]
            assert abs(np.median(image[mask, 0]) - color) <= 3
    assert seen >= 2
    assert (truth.boxes >= 0).all()
    assert (truth.boxes <= 1).all()
