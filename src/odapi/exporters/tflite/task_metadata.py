"""TFLite Model Metadata, which MediaPipe's ObjectDetector reads.

It describes the four outputs of TFLite_Detection_PostProcess, the input, and the names
of the classes, which are a text file in a zip archive behind the flatbuffer.

Source: `metadata_schema.fbs` of https://github.com/google-ai-edge/mediapipe.
"""

import io
import zipfile

from odapi.exporters.tflite.flat_table import Number, Table, packed
from odapi.labels import LabelMap

NAME = "TFLITE_METADATA"
LABELS = "labels.txt"
_IDENTIFIER = b"M001"
_PARSER = "1.2.0"  # The first version of the schema with groups of outputs.

# Field numbers of the tables, and values of unions and enums.
_FEATURE, _IMAGE, _BOXES = 1, 2, 3  # Content properties.
_NORMALIZATION, _THRESHOLD = 1, 3  # Process units.
_RGB, _BOUNDARIES, _RATIO, _VALUE_LABELS = 1, 1, 0, 3
# Place of left, top, right and bottom in a box `[y_min, x_min, y_max, x_max]`.
_BOX_ORDER = (1, 0, 3, 2)


def task_metadata(
    title: str, label_map: LabelMap, min_score: float, channels: int
) -> tuple[bytes, bytes]:
    """Returns the metadata, and the archive to append to the file.

    Args:
        title: Name of the model.
        label_map: The classes.
        min_score: Detections with a lower score are dropped.
        channels: Of the images, whose values are 0 to 255.
    """
    labels = Table({0: LABELS, 1: "Names of the classes", 2: _byte(_VALUE_LABELS)})
    threshold = _unit(_THRESHOLD, Table({0: Number("Float32", min_score)}))
    pixels = Table({0: _floats([0.0] * channels), 1: _floats([1.0] * channels)})
    image = Table({0: _byte(_RGB)})
    order = [Number("Uint32", place) for place in _BOX_ORDER]
    boxes = Table({0: order, 1: _byte(_BOUNDARIES), 2: _byte(_RATIO)})
    inputs = [
        Table(
            {0: "image", 3: _content(_IMAGE, image), 4: [_unit(_NORMALIZATION, pixels)]}
        )
    ]
    outputs = [
        Table({0: "location", 3: _content(_BOXES, boxes)}),
        Table({0: "category", 3: _content(_FEATURE, Table()), 6: [labels]}),
        Table({0: "score", 3: _content(_FEATURE, Table()), 4: [threshold]}),
        Table({0: "number of detections", 3: _content(_FEATURE, Table())}),
    ]
    names = ["location", "category", "score"]
    group = Table({0: "detection_result", 1: names})
    graph = Table({2: inputs, 3: outputs, 8: [group]})
    root = Table({0: title, 3: [graph], 7: _PARSER})
    return packed(root, _IDENTIFIER), _archive(label_map)


def _byte(value: int) -> Number:
    return Number("Int8", value)


def _floats(values: list[float]) -> list[Number]:
    return [Number("Float32", value) for value in values]


def _content(kind: int, properties: Table) -> Table:
    return Table({0: Number("Uint8", kind), 1: properties})


def _unit(kind: int, options: Table) -> Table:
    return Table({0: Number("Uint8", kind), 1: options})


def _archive(label_map: LabelMap) -> bytes:
    """Returns a zip archive with one line per class, from id 1; ids may have gaps."""
    names = {category.id: category.label for category in label_map}
    lines = [names.get(i, "???") for i in range(1, label_map.num_classes + 1)]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(LABELS, "\n".join(lines) + "\n")
    return file.getvalue()
