"""Writer of TF2 checkpoints that does not need TensorFlow.

Variables are stored in a tree of objects along their keys: each path is one that
`tf.train.Checkpoint` of the original's objects follows when it restores.
"""

import pathlib
from collections.abc import Mapping

import numpy as np

from odapi import files
from odapi.checkpoints.index.protos.tensor_bundle_pb2 import (
    BundleEntryProto,
    BundleHeaderProto,
)
from odapi.checkpoints.index.protos.trackable_object_graph_pb2 import (
    TrackableObjectGraph,
)
from odapi.checkpoints.index.table_writer import table_bytes
from odapi.checkpoints.index.varint import to_varint
from odapi.data.tfrecord.records import masked_crc32c
from odapi.errors import CheckpointError
from odapi.zoo.checkpoint.graph import unescaped
from odapi.zoo.checkpoint.reader import DTYPES, OBJECT_GRAPH, STRING, SUFFIX

_NUMBERS = {np.dtype(t): n for n, t in DTYPES.items() if n != STRING}


def write_checkpoint(
    prefix: pathlib.Path, variables: Mapping[str, np.ndarray]
) -> pathlib.Path:
    """Writes a checkpoint, and the file `checkpoint` that names it as the last one.

    Args:
        prefix: Path without suffix, such as "checkpoint/ckpt-0".
        variables: Arrays by their keys, without the suffix of variables.

    Returns:
        The prefix.

    Raises:
        CheckpointError: A file cannot be written.
        TypeError: An array has a type that checkpoints do not have.
    """
    stored = {key + SUFFIX: np.asarray(value) for key, value in variables.items()}
    header = BundleHeaderProto(num_shards=1)
    header.version.producer = 1
    table = {b"": header.SerializeToString()}
    data, offset = prefix.with_name(f"{prefix.name}.data-00000-of-00001"), 0
    try:
        with files.atomic_open(data) as file:
            for key in sorted([*stored, OBJECT_GRAPH]):
                if key == OBJECT_GRAPH:
                    content, entry = _graph_entry(object_graph(variables))
                else:
                    content, entry = _array_entry(stored[key], key)
                entry.offset, entry.size = offset, len(content)
                table[key.encode()] = entry.SerializeToString()
                file.write(content)
                offset += len(content)
    except OSError as error:
        raise files.unwritable(data, error, CheckpointError) from error
    index = prefix.with_name(f"{prefix.name}.index")
    files.write_bytes(index, table_bytes(table), error=CheckpointError)
    files.write_text(
        prefix.with_name("checkpoint"),
        f'model_checkpoint_path: "{prefix.name}"\n'
        f'all_model_checkpoint_paths: "{prefix.name}"\n',
        error=CheckpointError,
    )
    return prefix


def object_graph(keys: Mapping[str, object]) -> bytes:
    """Returns the serialized graph with an object per step of each key."""
    graph = TrackableObjectGraph()
    graph.nodes.add()
    ids = {"": 0}
    for key in sorted(keys):
        path = ""
        for name in key.split("/"):
            parent, path = ids[path], f"{path}/{name}"
            if path not in ids:
                ids[path] = len(graph.nodes)
                graph.nodes.add()
                graph.nodes[parent].children.add(
                    node_id=ids[path], local_name=unescaped(name)
                )
        graph.nodes[ids[path]].attributes.add(
            name="VARIABLE_VALUE", full_name=key, checkpoint_key=key + SUFFIX
        )
    return graph.SerializeToString()


def _array_entry(array: np.ndarray, key: str) -> tuple[bytes, BundleEntryProto]:
    if array.dtype not in _NUMBERS:
        raise TypeError(f"{key} has the type {array.dtype}, which is not supported")
    content = array.tobytes()
    entry = BundleEntryProto(dtype=_NUMBERS[array.dtype])
    entry.shape.SetInParent()
    for size in array.shape:
        entry.shape.dim.add(size=size)
    entry.crc32c = masked_crc32c(content)
    return content, entry


def _graph_entry(text: bytes) -> tuple[bytes, BundleEntryProto]:
    """Returns a string as it is stored: its length, a checksum of that, and itself."""
    length = len(text).to_bytes(4, "little")
    check = masked_crc32c(length).to_bytes(4, "little")
    entry = BundleEntryProto(dtype=STRING, crc32c=masked_crc32c(length + check + text))
    entry.shape.SetInParent()
    return to_varint(len(text)) + check + text, entry
