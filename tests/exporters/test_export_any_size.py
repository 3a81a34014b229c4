"""Exports whose resizer gives images of many sizes, as the original's do."""

import keras
import numpy as np
import pytest

import narrow_rcnn
from odapi.build.detector import build_detector
from odapi.data.image.resize import (
    ConditionalShape,
    Identity,
    KeepAspectRatio,
    PadToMultiple,
)
from odapi.errors import ConfigError
from odapi.exporters.exporter import ExportOptions
from odapi.exporters.saved_model.saved_model_exporter import SavedModelExporter
from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor
from odapi.exporters.saved_model.saved_model_writer import write_saved_model
from odapi.exporters.verify import verify
from odapi.heads.rfcn_head import RfcnHead, RfcnOptions
from odapi.heads.roi_masks import RoiMaskOptions, RoiMasks
from odapi.models.two_stage.rfcn import RFCN
from odapi.models.two_stage.roi_mask_task import RoiMaskTask
from small_models import small_config
from small_rcnn import MAKE, small_rcnn

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
)

EXPORTER = SavedModelExporter()
RESIZER = KeepAspectRatio(min_dimension=40, max_dimension=77)
# Resized to 40 x 48, 28 x 77 and 77 x 16: strides divide few of these sides.
SIZES = [(50, 60), (33, 90), (200, 41)]
OPTIONS = ExportOptions("image_tensor")


def images():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in SIZES]


def masks():
    options = RoiMaskOptions(2, size=(6, 6), depth=4)
    return small_rcnn([RoiMaskTask(RoiMasks(options, MAKE, name="roi_masks"))])


def rfcn():
    options = RfcnOptions(2, (3, 3), (6, 6), 8)
    return small_rcnn(kind=RFCN, boxes=RfcnHead(options, MAKE, name="rfcn"))


def single_stage(family):
    return lambda: build_detector(small_config(family))


def two_stage(family, *overrides):
    return lambda: build_detector(narrow_rcnn.small_rcnn(family, *overrides))


DETECTORS = {
    "faster_rcnn": small_rcnn,
    "mask_rcnn": masks,
    "rfcn": rfcn,
    "ssd": single_stage("ssd"),
    "fpn": single_stage("fpn"),
    "bifpn": single_stage("bifpn"),
    "pyramid": two_stage("pyramid"),
    "roi_align": two_stage("pyramid", "options.roi_align=true"),
    "one_stage": two_stage("c4", "model.faster_rcnn.number_of_stages=1"),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=() if n == "faster_rcnn" else pytest.mark.slow)
        for n in DETECTORS
    ],
)
def test_exported_model_equals_the_detector_at_any_size(name, tmp_path, monkeypatch):
    narrow_rcnn.narrow(monkeypatch)
    detector = DETECTORS[name]()
    write_saved_model(detector, RESIZER, tmp_path)
    # Of raw boxes and scores, for all entry points and images.
    done = verify(EXPORTER, tmp_path, detector, RESIZER, OPTIONS, images())
    assert done.difference < 1e-4


@pytest.mark.slow
def test_maps_are_cropped_by_index_where_there_is_no_native_operation(
    tmp_path, monkeypatch
):
    detector = small_rcnn()
    monkeypatch.setattr("odapi.geometry.crop.roi_align.has_native_crop", lambda: False)
    write_saved_model(detector, RESIZER, tmp_path)
    done = verify(EXPORTER, tmp_path, detector, RESIZER, OPTIONS, images())
    assert done.difference < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "resizer",
    [
        Identity(),
        ConditionalShape("smaller", 45),
        PadToMultiple(16),
    ],
)
def test_every_resizer_can_be_exported(resizer, tmp_path):
    detector = small_rcnn()
    write_saved_model(detector, resizer, tmp_path)
    done = verify(EXPORTER, tmp_path, detector, resizer, OPTIONS, images())
    assert done.difference < 1e-4


def test_signature_has_the_original_s_shapes(tmp_path):
    write_saved_model(small_rcnn(), RESIZER, tmp_path, batch_size=1)
    predictor = SavedModelPredictor(tmp_path)
    assert predictor.spec("serving_default").shape.as_list() == [1, None, None, 3]
    outputs = predictor.signatures["serving_default"].structured_outputs
    assert outputs["detection_boxes"].shape.as_list() == [1, 5, 4]
    for image in images():
        assert predictor.outputs(image)["raw_detection_boxes"].shape == (1, 12, 4)


def test_center_net_has_one_size(tmp_path):
    detector = build_detector(small_config("center"))
    with pytest.raises(ConfigError, match="exported for one size only") as caught:
        write_saved_model(detector, RESIZER, tmp_path)
    assert "pad_to_max_dimension" in str(caught.value)
