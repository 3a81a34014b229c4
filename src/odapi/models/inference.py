"""A detector as a plain model from images to detections."""

import keras

from odapi.models.detector import Detector
from odapi.structures import present


class Inference(keras.Model):
    """Calls `detect`, so that `predict_on_batch` compiles it on every backend.

    Args:
        detector: Built; its variables are shared.
        raw: Also return the boxes and scores of all anchors before suppression.
    """

    def __init__(self, detector: Detector, raw: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.detector = detector
        self.raw = raw
        self.built = True

    def call(self, inputs):
        """Returns the fields of `Detections` as a dict."""
        return present(self.detector.detect(inputs, raw=self.raw))
