"""Calibration images as inputs of a network, and quantizers without noise."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import numpy as np

from odapi.exporters.network import IMAGES, TRUE_SIZE, Arrays
from odapi.exporters.network_predictor import resized_as_given
from odapi.exporters.source import ExportSource


def calibration_input(source: ExportSource, image: np.ndarray, dtype: str) -> Arrays:
    """Returns the inputs of a network for one image; it may not have `true_size`.

    Args:
        source: The detector.
        image: uint8 `[h, w, c]`.
        dtype: Of the images of the network, "uint8" or "float32".
    """
    pixels, size = resized_as_given(source.resizer, image, dtype)
    return {IMAGES: pixels.astype(dtype), TRUE_SIZE: size}


@contextlib.contextmanager
def quiet_quantizer() -> Iterator[None]:
    """Hides the progress, reports and advice that quantizers print and log."""
    disabled, hidden = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.WARNING)
    try:
        with (
            contextlib.redirect_stdout(hidden),
            contextlib.redirect_stderr(hidden),
            warnings.catch_warnings(action="ignore"),
        ):
            yield
    finally:
        logging.disable(disabled)
