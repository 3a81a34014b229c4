"""Writes TF2 checkpoints for tests: what the reader reads, made byte by byte."""

import ml_dtypes
import numpy as np

from odapi.checkpoints.weights import values
from odapi.data.tfrecord.records import masked_crc32c
from odapi.zoo.checkpoint.reader import OBJECT_GRAPH, SUFFIX

_TYPES = {
    "float32": 1, "float64": 2, "int32": 3, "uint8": 4, "object": 7, "int64": 9,
    "bool": 10, "bfloat16": 14, "float16": 19,
}  # fmt: skip
SLOT = "/.OPTIMIZER_SLOT/"
BFLOAT16 = ml_dtypes.bfloat16


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out + bytes([n]))


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def snappy(data):
    """A valid stream: literals, and a copy for each run of one byte."""
    out, at = bytearray(varint(len(data))), 0
    while at < len(data):
        run = 1
        while run < 64 and data[at : at + 1] * (run + 1) == data[at : at + run + 1]:
            run += 1
        if run > 5:
            out += bytes([0]) + data[at : at + 1]
            out += bytes([(run - 2) << 2 | 2]) + (1).to_bytes(2, "little")
            at += run
        else:
            part = data[at : at + 3]
            out += bytes([(len(part) - 1) << 2]) + part
            at += 3
    return bytes(out)


def block(pairs, restarts=1):
    out, last = bytearray(), b""
    for key, value in pairs:
        shared = 0
        while shared < min(len(key), len(last)) and key[shared] == last[shared]:
            shared += 1
        own = key[shared:]
        out += varint(shared) + varint(len(own)) + varint(len(value)) + own + value
        last = key
    return bytes(out) + bytes(4 * restarts) + restarts.to_bytes(4, "little")


def table(pairs, packed=False, per_block=20):
    """The bytes of an .index file; `pairs` are sorted."""
    out, handles = bytearray(), []

    def add(content, kind):
        content = snappy(content) if kind else content
        handle = varint(len(out)) + varint(len(content))
        checked = content + bytes([kind])
        out.extend(checked + masked_crc32c(checked).to_bytes(4, "little"))
        return handle

    for start in range(0, len(pairs), per_block):
        part = pairs[start : start + per_block]
        handles.append((part[-1][0], add(block(part), int(packed))))
    meta = add(block([]), 0)
    index = add(block(handles), int(packed))
    footer = (meta + index).ljust(40, b"\0")
    return bytes(out) + footer + (0xDB4775248B80FB57).to_bytes(8, "little")


def _stored(value):
    if value.dtype != object:
        content = value.tobytes()
        return content, masked_crc32c(content)
    texts = value.reshape(-1).tolist()
    fixed = b"".join(len(t).to_bytes(4, "little") for t in texts)
    rest = masked_crc32c(fixed).to_bytes(4, "little") + b"".join(texts)
    return b"".join(varint(len(t)) for t in texts) + rest, masked_crc32c(fixed + rest)


def graph(keys):
    """An object graph with an object a step of each key, and the slots."""
    nodes, ids, slots = [{}], {"": 0}, []
    for key in sorted(keys, key=lambda k: SLOT in k):
        path = ""
        of, _, slot = key.partition(SLOT)
        if slot:
            slots.append((ids[f"/{of}"], slot.rpartition("/")[2], len(nodes)))
            nodes.append({"\0": key})
            continue
        for name in key.split("/"):
            parent, path = ids[path], f"{path}/{name}"
            if path not in ids:
                ids[path] = len(nodes)
                nodes[parent][name] = ids[path]
                nodes.append({})
        nodes[ids[path]]["\0"] = key
    out = b""
    for number, node in enumerate(nodes):
        own = node.pop("\0", None)
        body = b"".join(
            field(1, field(1, child) + field(2, name.replace(".S", "/").encode()))
            for name, child in node.items()
        )
        if own:
            text = field(1, b"VARIABLE_VALUE") + field(3, (own + SUFFIX).encode())
            body += field(2, text)
        for of, name, slot in slots if number == 0 else ():
            body += field(3, field(1, of) + field(2, name.encode()) + field(3, slot))
        out += field(1, body)
    return out


def write(prefix, tensors, packed=False, shards=1, tf1=False, sliced=()):
    """Writes a checkpoint and the state file beside it.

    Args:
        prefix: Such as `folder / "ckpt-3"`.
        tensors: Arrays by their key, without the suffix of variables.
        packed: Whether the index is compressed.
        shards: Data files.
        tf1: By name: without suffix and graph.
        sliced: Keys said to be stored in parts.
    """
    prefix.parent.mkdir(parents=True, exist_ok=True)
    stored = {k if tf1 else k + SUFFIX: np.asarray(v) for k, v in tensors.items()}
    if not tf1:
        content = np.empty((), object)
        content[()] = graph(tensors)
        stored[OBJECT_GRAPH] = content
    data, pairs = [bytearray() for _ in range(shards)], [(b"", field(1, shards))]
    for n, key in enumerate(sorted(stored)):
        value = stored[key]
        content, crc = _stored(value)
        entry = field(1, _TYPES[str(value.dtype)])
        entry += field(2, b"".join(field(2, field(1, d)) for d in value.shape))
        entry += field(3, n % shards) + field(4, len(data[n % shards]))
        entry += field(5, len(content)) + varint(6 << 3 | 5) + crc.to_bytes(4, "little")
        if key.removesuffix(SUFFIX) in sliced:
            entry += field(7, b"")
        data[n % shards] += content
        pairs.append((key.encode(), entry))
    index = prefix.with_name(prefix.name + ".index")
    index.write_bytes(table(sorted(pairs), packed))
    for n, content in enumerate(data):
        name = f"{prefix.name}.data-{n:05d}-of-{shards:05d}"
        prefix.with_name(name).write_bytes(content)
    state = f'model_checkpoint_path: "{prefix.name}"\n'
    (prefix.parent / "checkpoint").write_text(state)
    return prefix


def of_detector(detector, keys, root=None):
    """The values of a detector by the original's keys.

    Args:
        detector: Built.
        keys: The original's key by our name.
        root: "feature_extractor": the backbone alone, as classification archives.
    """
    arrays = {keys[n]: v for n, v in values(detector.named_variables()).items()}
    if root is None:
        return arrays
    layers = "/layer_with_weights-"
    return {
        f"{root}{layers}{key.partition(layers)[2]}": value
        for key, value in arrays.items()
        if "classification_backbone" in key
    }
