"""TFLite's converter takes exported models with builtin operations only.

It needs to know the channels and, for anchors, the size of images: resizing keeps what
is known when a model is exported.
"""

import keras
import numpy as np
import pytest
from keras import ops

from fake_detector import FakeDetector
from odapi.data.image.resize import (
    ConditionalShape,
    FixedShape,
    Identity,
    KeepAspectRatio,
    PadToMultiple,
)
from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor
from odapi.exporters.saved_model.saved_model_writer import write_saved_model
from odapi.structures import Detections
from requirement import require

tf = require("tensorflow")

PADDED = {"min_dimension": 32, "max_dimension": 40, "pad_to_max": True}
RESIZERS = {
    "fixed": FixedShape(height=32, width=40),
    "fixed, gray": FixedShape(height=32, width=40, grayscale=True),
    "padded": KeepAspectRatio(**PADDED),
    "padded, gray": KeepAspectRatio(**PADDED, grayscale=True),
    "padded with color": KeepAspectRatio(**PADDED, pad_value=(9.0, 8.0, 7.0)),
    "varying": KeepAspectRatio(min_dimension=32, max_dimension=40),
    "conditional": ConditionalShape(condition="greater", threshold=40),
    "identity": Identity(),
    "multiple": PadToMultiple(multiple=16),
}


class Cells(FakeDetector):
    """Predicts one box per cell of 8 x 8 pixels, at any size of the image."""

    detects_any_size = True

    def __init__(self, channels):
        super().__init__(num_classes=2, max_detections=20)
        self.conv = keras.layers.Conv2D(4 + 1, 3, strides=8, padding="same")
        self.conv.build((None, None, None, channels))
        self.built = True

    def call(self, inputs, training=False):
        return {"cells": self.conv(inputs["images"] / 255.0)}

    def decode(self, inputs, outputs, raw=False):
        x = outputs["cells"]
        cells = ops.reshape(x, (-1, ops.shape(x)[1] * ops.shape(x)[2], 5))
        scores = ops.sigmoid(cells[..., 4])
        return Detections(
            boxes=ops.sigmoid(cells[..., :4]),
            scores=scores,
            classes=ops.zeros_like(scores, "int32"),
            num=ops.sum(ops.ones_like(scores, "int32"), axis=-1),
        )


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
@pytest.mark.parametrize("name", RESIZERS)
def test_a_model_of_every_resizer_is_converted(tmp_path, name):
    resizer = RESIZERS[name]
    detector = Cells(1 if resizer.grayscale else 3)
    write_saved_model(detector, resizer, tmp_path)
    image = np.random.default_rng(0).integers(0, 256, (1, 35, 50, 3), np.uint8)
    expected = SavedModelPredictor(tmp_path).outputs(image)
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(tmp_path), signature_keys=["serving_default"]
    )
    # XNNPACK, the default delegate, gives wrong results for this small a graph.
    plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    model = tf.lite.Interpreter(
        model_content=converter.convert(), experimental_op_resolver_type=plain
    )
    found = model.get_signature_runner("serving_default")(input_tensor=image)
    for output in ("detection_scores", "detection_boxes"):
        np.testing.assert_allclose(found[output], expected[output], atol=1e-4)
