"""A detector learns in 16 bits on a CPU."""

import keras
import numpy as np
import pytest
from keras import ops

from learning import SEED, reached
from odapi.build.detector import build_detector
from odapi.labels import label_map_of
from odapi.layers.norm import BatchNorm
from odapi.layers.reduced_precision import ReducedPrecision
from odapi.metrics.coco.box_metrics import CocoBoxMetrics
from odapi.runtime.compat import flatten_layers
from small_models import SIZE, small_batch, small_config

_IMAGES, _STEPS = 8, 80
# Each takes half a minute: one per backend. Training in float32 is in test_detectors.
_FORMATS = {"tensorflow": "BFLOAT16", "jax": "FLOAT16", "torch": "BFLOAT16"}
_ACCURACY = "DetectionBoxes_Precision/mAP"


@pytest.mark.backend
@pytest.mark.slow
@pytest.mark.learning
@pytest.mark.timeout(900)
def test_images_are_learned_in_16_bits():
    precision = _FORMATS[keras.backend.backend()]
    detector = build_detector(small_config("center"), seed=2 + SEED)
    for layer in flatten_layers(detector):
        if isinstance(layer, BatchNorm):
            layer.momentum = 0.5  # Statistics follow within few steps.
        if isinstance(layer, ReducedPrecision):
            # All of them: by the rule, few layers of such a small model are lowered.
            layer.training_dtype = precision.lower()
    x, y = small_batch(_IMAGES)
    detector.compile(optimizer=keras.optimizers.Adam(5e-3))
    scaled = isinstance(detector.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled is (precision == "FLOAT16")
    losses = [
        detector.train_on_batch(x, y, return_dict=True)["loss"] for _ in range(_STEPS)
    ]
    ratio = losses[-1] / losses[0]
    assert reached(f"{precision}: last loss / first", ratio, below=0.5)
    assert all(
        np.isfinite(ops.convert_to_numpy(v)).all()
        for v in detector.named_variables().values()
    )
    accuracy = _mean_average_precision(detector.predict_on_batch(x), y)
    assert reached(f"{precision}: mAP", accuracy, above=0.5)


def _mean_average_precision(found, truth):
    metrics = CocoBoxMetrics(label_map_of(["square", "none"]))
    for n in range(_IMAGES):
        objects = {
            "boxes": truth["boxes"][n][truth["valid"][n]],
            "classes": truth["classes"][n][truth["valid"][n]],
            "size": (SIZE, SIZE),
        }
        number = int(found["num"][n])
        detections = {
            name: found[name][n][:number] for name in ("boxes", "classes", "scores")
        }
        metrics.update(f"image {n}", objects, detections)
    return metrics.compute()[_ACCURACY]
