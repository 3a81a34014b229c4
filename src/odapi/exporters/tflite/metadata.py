"""Metadata of TFLite files: named buffers in the flatbuffer.

Source: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from odapi.exporters.model_info import KEY

_IDENTIFIER = b"TFL3"


def read_metadata(content: bytes) -> str:
    """Returns what odapi wrote into a TFLite file; "" if nothing.

    Raises:
        ValueError: The bytes are no TFLite file.
    """
    if content[4:8] != _IDENTIFIER:
        raise ValueError("it is no TFLite file")
    model = schema.Model.GetRootAs(content)
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry.Name() == KEY.encode():
            data = model.Buffers(entry.Buffer()).DataAsNumpy()
            return bytes(data).decode()
    return ""


def with_last_operator(content: bytes, operator: str, key: str, value: int) -> bytes:
    """Returns a TFLite file with an option of its last, custom operator set.

    The outputs of the file get the order of those of the operator, on which programs
    for files of the TF Object Detection API rely. That of the converter varies.
    """
    from flatbuffers import flexbuffers

    model = schema.ModelT.InitFromPackedBuf(content)
    _take_in_buffers(model, content)
    for node in model.subgraphs[0].operators:
        if model.operatorCodes[node.opcodeIndex].customCode == operator.encode():
            options = flexbuffers.Loads(bytes(bytearray(node.customOptions)))
            packed = flexbuffers.Dumps(options | {key: value})
            node.customOptions = np.frombuffer(bytes(packed), np.uint8)
            model.subgraphs[0].outputs = node.outputs
    return _packed(model, len(content))


def _packed(model: Any, size: int) -> bytes:
    builder = flatbuffers.Builder(size + 1024)
    builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _take_in_buffers(model: Any, content: bytes) -> None:
    """Moves data behind the flatbuffer, where the quantizer writes it, into it."""
    for buffer in model.buffers:
        if buffer.offset > 1:  # 0 and 1 stand for none.
            part = content[buffer.offset : buffer.offset + buffer.size]
            buffer.data = np.frombuffer(part, np.uint8)
            buffer.offset = buffer.size = 0


def with_metadata(content: bytes, name: str, value: bytes) -> bytes:
    """Returns a TFLite file with a named buffer, which replaces one of that name."""
    model = schema.ModelT.InitFromPackedBuf(content)
    _take_in_buffers(model, content)
    model.metadata = model.metadata or []
    data = np.frombuffer(value, np.uint8)
    same = [entry for entry in model.metadata if entry.name == name.encode()]
    if same:
        model.buffers[same[0].buffer].data = data
    else:
        buffer = schema.BufferT()
        buffer.data = data
        model.buffers.append(buffer)
        entry = schema.MetadataT()
        entry.name, entry.buffer = name.encode(), len(model.buffers) - 1
        model.metadata.append(entry)
    return _packed(model, len(content) + len(value))
