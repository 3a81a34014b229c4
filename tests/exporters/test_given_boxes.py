"""Models that take boxes in addition to the image, and return their masks."""

import keras
import numpy as np
import pytest

from odapi.build.detector import build_detector
from odapi.data.image.resize import FixedShape
from odapi.errors import ConfigError
from odapi.exporters.exporter import ExportOptions
from odapi.exporters.input_types import BOXES
from odapi.exporters.saved_model.saved_model_exporter import SavedModelExporter
from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor
from odapi.exporters.saved_model.saved_model_writer import write_saved_model
from odapi.exporters.verify import verify
from small_models import SIZE, small_config

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
)
_PATH = "model.center_net.deepmac_mask_estimation"
_FIELDS = (
    "classification_loss.weighted_sigmoid={}",
    "dim=4",
    "pixel_embedding_dim=4",
    "mask_size=8",
    "num_init_channels=2",
    "network_type=resnet4",
)
RESIZER = FixedShape(height=SIZE, width=SIZE)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    settings = [f"{_PATH}.{field}" for field in _FIELDS]
    detector = build_detector(small_config("center", *settings), seed=1)
    folder = tmp_path_factory.mktemp("exported")
    write_saved_model(detector, RESIZER, folder, BOXES)
    return detector, folder


def test_masks_are_those_of_the_detector(exported):
    detector, folder = exported
    options = ExportOptions(BOXES)
    done = verify(SavedModelExporter(), folder, detector, RESIZER, options)
    assert done.difference < 1e-3


@pytest.mark.parametrize("count", [0, 1, 5])
def test_any_number_of_boxes(exported, count):
    predictor = SavedModelPredictor(exported[1])
    assert set(predictor.signatures) == {"serving_default", BOXES}
    image = np.zeros((1, 40, 50, 3), np.uint8)
    boxes = np.tile(np.array([0.1, 0.1, 0.5, 0.6], np.float32), (1, count, 1))
    found = predictor.run("serving_default", image, boxes)
    assert found["detection_masks"].shape == (1, count, 8, 8)
    assert found["detection_boxes"].shape == (1, 8, 4)
    assert {v.dtype.name for v in found.values()} == {"float32"}


def test_other_models_are_refused(tmp_path):
    detector = build_detector(small_config("center"), seed=1)
    with pytest.raises(ConfigError, match="predicts masks for given boxes"):
        write_saved_model(detector, RESIZER, tmp_path, BOXES)
