"""Training curves as an image."""

import math

import pytest

from odapi.data.image.decode import decode_image
from odapi.losses.names import TOTAL_LOSS
from odapi.report.curves import save_curves
from odapi.report.history import History


@pytest.mark.parametrize(
    ("losses", "metrics", "height"),
    [
        ([], [], None),
        ([(1, 2.0)], [], 660),
        ([(1, 2.0), (2, math.nan), (3, 1e9)], [], 660),
        ([(1, math.inf)], [], 660),
        ([], [(5, {"mine": 0.5})], None),
        ([], [(n, {"DetectionBoxes_Precision/mAP": -1.0}) for n in (5, 6)], 360),
        ([(1, 2.0), (2, 1.0)], [(1, {"mine": 0.4}), (2, {"mine": 0.5})], 1020),
    ],
)
def test_curves_of_any_run_can_be_drawn(tmp_path, losses, metrics, height):
    history = History(tmp_path, 0)
    for step, loss in losses:
        history.add_losses(step, {TOTAL_LOSS: loss, "Loss/a": loss}, rate=0.1)
    for step, values in metrics:
        history.add(step, values)
    file = save_curves(tmp_path, history)
    if height is None:
        assert file is None
    else:
        assert decode_image(file.read_bytes(), "").shape == (height, 900, 3)
