"""Base of the fake detectors of the tests: the contract of `Detector` without parts."""

from odapi.models.detector import Detector


class FakeDetector(Detector):
    """Detector without feature extractor and heads; `build` creates nothing.

    Subclasses make their layers in `__init__` and override `call`, `loss_parts` and
    `decode`, as far as a test needs them; all else is that of real detectors.
    """

    def __init__(
        self,
        num_classes=2,
        image_size=None,
        max_detections=1,
        losses=("localization_loss", "classification_loss"),
        **kwargs,
    ):
        names = tuple(f"Loss/{name}" for name in losses)
        super().__init__(num_classes, image_size, max_detections, names, **kwargs)

    def build(self, input_shape=None):
        self.built = True

    def build_heads(self, shapes):
        raise AssertionError("a fake detector has no heads")

    def call(self, inputs, training=False):
        raise NotImplementedError

    def loss_parts(self, outputs, groundtruth, inputs=None, training=False):
        raise NotImplementedError

    def decode(self, inputs, outputs, raw=False):
        raise NotImplementedError
