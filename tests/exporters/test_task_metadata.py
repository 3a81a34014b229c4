"""Metadata of TFLite files: read back without code that a compiler generated."""

import io
import zipfile

import flatbuffers
import pytest
from flatbuffers.table import Table as Read

from odapi.exporters.tflite.flat_table import Number, Table, packed
from odapi.exporters.tflite.task_metadata import task_metadata
from odapi.labels import Category, LabelMap

CLASSES = LabelMap((Category(1, "cat"), Category(3, "owl", "Owl")))


def root_of(content):
    place = flatbuffers.encode.Get(flatbuffers.packer.uoffset, content, 0)
    return Read(bytearray(content), place)


def field(table, slot):
    """Returns the place of a field; 0 if it is missing."""
    offset = table.Offset(4 + 2 * slot)
    return offset and offset + table.Pos


def child(table, slot, index=None):
    place = field(table, slot)
    if index is None:
        return Read(table.Bytes, table.Indirect(place))
    start = table.Vector(place - table.Pos)
    return Read(table.Bytes, table.Indirect(start + 4 * index))


def text(table, slot):
    return table.String(field(table, slot)).decode()


def numbers(table, slot, flags):
    offset = field(table, slot) - table.Pos
    start, length = table.Vector(offset), table.VectorLen(offset)
    return [table.Get(flags, start + 4 * i) for i in range(length)]


def test_texts_numbers_and_tables_are_read_back():
    flags = flatbuffers.number_types
    inner = Table({0: "inside"})
    outer = Table(
        {
            0: "outside",
            1: Number("Int8", 0),
            3: [Number("Float32", 0.5), Number("Float32", 2.0)],
            4: inner,
            5: [inner, Table({0: "second"})],
        }
    )
    content = packed(outer, b"TEST")
    assert content[4:8] == b"TEST"
    root = root_of(content)
    assert text(root, 0) == "outside"
    assert field(root, 1) and not field(root, 2)  # Also a zero is written.
    assert numbers(root, 3, flags.Float32Flags) == [0.5, 2.0]
    assert text(child(root, 4), 0) == "inside"
    assert [text(child(root, 5, i), 0) for i in (0, 1)] == ["inside", "second"]


def test_outputs_input_and_threshold_are_described():
    flags = flatbuffers.number_types
    content, _ = task_metadata("an SSD", CLASSES, 0.25, 3)
    assert content[4:8] == b"M001"
    root = root_of(content)
    assert (text(root, 0), text(root, 7)) == ("an SSD", "1.2.0")
    graph = child(root, 3, 0)
    outputs = [child(graph, 3, i) for i in range(4)]
    assert [text(one, 0) for one in outputs] == [
        "location", "category", "score", "number of detections",
    ]  # fmt: skip
    boxes = child(child(outputs[0], 3), 1)
    assert numbers(boxes, 0, flags.Uint32Flags) == [1, 0, 3, 2]
    assert text(child(outputs[1], 6, 0), 0) == "labels.txt"
    threshold = child(child(outputs[2], 4, 0), 1)
    assert threshold.Get(flags.Float32Flags, field(threshold, 0)) == 0.25
    image = child(graph, 2, 0)
    scaling = child(child(image, 4, 0), 1)
    assert numbers(scaling, 0, flags.Float32Flags) == [0.0] * 3
    assert numbers(scaling, 1, flags.Float32Flags) == [1.0] * 3


def test_labels_have_one_line_per_id():
    _, archive = task_metadata("an SSD", CLASSES, 0.25, 3)
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        assert file.read("labels.txt").decode() == "cat\n???\nOwl\n"


@pytest.mark.parametrize("values", [[], ["one"], ["one", "two"]])
def test_texts_in_vectors(values):
    root = root_of(packed(Table({0: values}), b"TEST"))
    assert root.VectorLen(field(root, 0) - root.Pos) == len(values)
