"""The first images of a training, drawn for trackers."""

import numpy as np

from odapi.training.callbacks.input_images import draw_inputs
from tiny_detector import LABEL_MAP, make_batch


def test_input_images_show_the_first_images_with_their_objects():
    images = draw_inputs(make_batch(0), LABEL_MAP)
    assert [image.shape for image in images] == [(16, 16, 3)] * 3
    assert (images[0] != np.asarray(make_batch(0).images[0])).any()
