"""The table of export formats, and verification of any format."""

import dataclasses
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from odapi.api.model_path import locate
from odapi.data.image.resize import FixedShape
from odapi.errors import CheckpointError, ConfigError, ExportError, MissingPackageError
from odapi.exporters.exporter import Exporter, ExportOptions
from odapi.exporters.formats import (
    EXPORTERS,
    exporter_of,
)
from odapi.exporters.named_outputs import named_outputs
from odapi.exporters.source import ExportSource
from odapi.exporters.verify import verify
from odapi.structures import Detections

RESIZER = FixedShape(height=32, width=40)


@dataclasses.dataclass(frozen=True)
class BrightestPixel:
    """A detector without a backend: one box around the brightest pixel."""

    bias: float = 0.0
    side_inputs: dict = dataclasses.field(default_factory=dict)
    num_channels: int = 3

    def detect(self, inputs, outputs=None, raw=False):
        images = np.asarray(inputs["images"])
        flat = images.mean(-1).reshape(len(images), -1)
        y, x = np.divmod(flat.argmax(-1), images.shape[2])
        low = np.stack([y / images.shape[1], x / images.shape[2]], -1)
        boxes = np.concatenate([low, low + 0.1], -1).astype("float32")[:, None]
        scores = (flat.max(-1) / 255 + self.bias).astype("float32")[:, None]
        return Detections(
            boxes=boxes,
            scores=scores,
            classes=np.zeros(scores.shape, "int32"),
            num=np.ones(len(images), "int32"),
            raw_boxes=boxes,
            raw_scores=scores[..., None],
        )


class TextExporter(Exporter):
    """Writes the only parameter of `BrightestPixel` into a text file."""

    format = "text"
    title = "Text"
    filename = "model.txt"
    backend = keras.backend.backend()
    precisions = ("float32", "int4")
    packages = ("a_package_that_does_not_exist",)
    extra = "text"

    def export(self, source, path, options):
        path.write_text(f"{source.detector.bias}")

    def open(self, path, resizer, options):
        return TextModel(path)

    def find(self, path):
        path = pathlib.Path(path)
        return next((p for p in (path, path / "model.txt") if p.is_file()), None)

    def load(self, path, label_map=None):
        return TextModel(self.find(path))


class TextModel:
    entry_points = ("default",)
    load_seconds = 0.5

    def __init__(self, path):
        self.detector = BrightestPixel(float(path.read_text()))

    def make_inputs(self, entry_point, image, boxes, side_inputs):
        return RESIZER.resize(image.astype(np.float32))[0][None]

    def call(self, entry_point, inputs):
        found = self.detector.detect({"images": inputs})
        return {k: np.float32(v) for k, v in named_outputs(found).items()}


def exported(tmp_path, bias=0.0):
    path = tmp_path / "model.txt"
    source = ExportSource(BrightestPixel(bias), RESIZER)
    TextExporter().export(source, path, ExportOptions())
    return path


def test_any_format_is_verified(tmp_path):
    path = exported(tmp_path)
    done = verify(TextExporter(), path, BrightestPixel(), RESIZER, ExportOptions())
    assert (done.difference, done.load_seconds) == (0.0, 0.5)


def test_any_format_with_other_outputs_is_refused(tmp_path):
    path = exported(tmp_path, bias=0.1)
    with pytest.raises(ExportError, match=r"model\.txt \(default\): raw_detection_sco"):
        verify(TextExporter(), path, BrightestPixel(), RESIZER, ExportOptions())


def test_a_new_format_needs_one_row_in_the_table(tmp_path, monkeypatch):
    monkeypatch.setitem(EXPORTERS, "text", TextExporter())
    path = exported(tmp_path)
    assert exporter_of("text").format == "text"
    assert locate(tmp_path).format == locate(path).format == "text"
    assert locate(tmp_path).load_exported().detector == BrightestPixel()
    with pytest.raises(ConfigError, match=r"known values are onnx, .*, text"):
        exporter_of("text2")


def test_rows_of_the_table_are_consistent():
    assert all(name == exporter.format for name, exporter in EXPORTERS.items())
    files = [exporter.filename for exporter in EXPORTERS.values()]
    assert len(set(files)) == len(files)


def test_options_are_checked_before_packages():
    with pytest.raises(ConfigError, match="input_type: unknown value 'image'"):
        TextExporter().check(ExportOptions("image"))
    with pytest.raises(MissingPackageError, match=r"odapi\[text\]"):
        TextExporter().check(ExportOptions())


def test_a_path_without_an_exported_model(tmp_path):
    with pytest.raises(CheckpointError, match=r"contains nothing[\s\S]*odapi export"):
        locate(tmp_path)
    with pytest.raises(CheckpointError, match="does not exist"):
        locate(tmp_path / "none")


def test_finding_an_exported_model_loads_no_backend():
    code = (
        "import sys; import odapi.exporters.formats; "
        "print([m for m in ('keras', 'tensorflow', 'jax') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
