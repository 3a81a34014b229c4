"""Random damage to files: bytes, text, JSON trees, tf.Examples."""

import copy
import json
import re

import numpy as np

from odapi.data.tfrecord.protos import example_pb2

# What tools, people and crashes write where a number or a name is expected.
VALUES = (
    None, True, False, 0, -1, 1, 3, 0.5, -0.5, 2**31 - 1, 2**31, 2**63, 10**30,
    -(2**40), 1e308, float("nan"), float("inf"), float("-inf"), "", " ", "0", "-1",
    "1e400", "nan", "cat", "12px", "\x1b[2J", "a\nb", "\u202e", "caf\u00e9", "\ud800",
    "../x", "/", ".", "x" * 300, [], [1], [[]], [[1, 2], 3], {}, {"x": 1}, [None],
)  # fmt: skip
_TOKENS = (
    b"", b"0", b"-1", b"1e400", b"nan", b"inf", b"NaN", b"9" * 30, b"9" * 5000, b"0x10",
    b"1.5", b"1,5", b"True", b"null", b"{}", b"[", b"]", b"}", b"'", b'"', b"\\", b"\0",
    b"\x1b[2J", b"\xff", b"caf\xe9", b"\xef\xbb\xbf", b"\r", b"\t", b"&", b"<", b"#",
    b":", b"- ", b"*a", b"&a", b"!!python/object:os.system", b"../../x", b"/dev/zero",
    b"\xe2\x80\xae",
)  # fmt: skip
_SIZES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def damage(data, rng):
    """Returns bytes with one change, as of a bad disk, cable or download."""
    if not data:
        return bytes(rng.bytes(5))
    at = int(rng.integers(len(data)))
    end = min(len(data), at + int(rng.integers(1, 64)))
    kind = rng.integers(8)
    if kind == 0:
        return (
            data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :]
        )
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data[:at] + data[end:]
    if kind == 3:
        return data[:at] + rng.bytes(end - at) + data[end:]
    if kind == 4:
        return data[:at] + bytes(end - at) + data[end:]
    if kind == 5:
        return data[:end] + data[at:]
    if kind == 6:  # A size or a count in a header.
        size = int(_SIZES[rng.integers(len(_SIZES))])
        width = int(rng.choice((1, 2, 4)))
        order = str(rng.choice(("little", "big")))
        number = (size & (1 << 8 * width) - 1).to_bytes(width, order)
        at = min(at, 64) if rng.integers(2) else at
        return data[:at] + number + data[at + width :]
    return data[:at] + _TOKENS[rng.integers(len(_TOKENS))] + data[at:]


def damage_text(data, rng):
    """Returns text with a word or number replaced, or in another encoding."""
    kind = rng.integers(10)
    if kind == 0:
        return damage(data, rng)
    if kind == 1:
        text = data.decode("utf-8", "replace") + "caf\u00e9\n"
        names = ("latin-1", "utf-16", "utf-16-le", "utf-8-sig", "utf-32")
        return text.encode(str(rng.choice(names)), "replace")
    if kind == 2:
        lines = data.split(b"\n")
        at = int(rng.integers(len(lines)))
        lines[at : at + 1] = [lines[at]] * int(rng.integers(3))
        return b"\n".join(lines)
    if kind == 3:  # Deep nesting.
        at = int(rng.integers(len(data) + 1))
        opening = rng.choice((b"[", b"{", b"(", b"<a>", b'{"a":', b"- "))
        return data[:at] + bytes(opening) * 20_000 + data[at:]
    words = [m for m in _words(data)]
    if not words:
        return damage(data, rng)
    start, end = words[rng.integers(len(words))]
    return data[:start] + _TOKENS[rng.integers(len(_TOKENS))] + data[end:]


def _words(data):
    """Yields the spans of words and numbers."""
    start = None
    for at, byte in enumerate(data + b" "):
        inside = chr(byte).isalnum() or byte in b"._-" or byte > 127
        if inside and start is None:
            start = at
        elif not inside and start is not None:
            yield start, at
            start = None


def damage_json(data, rng):
    """Returns a JSON document with a value replaced, removed, repeated or renamed."""
    if rng.integers(4) == 0:
        return damage_text(data, rng)
    content = json.loads(data)
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(content))
        if not places:
            break
        holder, key = places[rng.integers(len(places))]
        kind = rng.integers(6)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        elif kind == 2 and isinstance(holder, dict):
            holder[str(rng.choice(("id", "name", "x", "")))] = holder.pop(key)
        else:
            holder[key] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    return json.dumps(content).encode()


def _places(content):
    """Yields every (list or dict, index or key)."""
    items = []
    if isinstance(content, dict):
        items = list(content.items())
    elif isinstance(content, list):
        items = list(enumerate(content))
    for key, value in items:
        yield content, key
        yield from _places(value)


def damage_example(data, rng, message_class=example_pb2.Example):
    """Returns a serialized tf.Example with values of another kind or number."""
    if rng.integers(6) == 0:
        return damage(data, rng)
    message = message_class.FromString(data)
    for _ in range(int(rng.integers(1, 4))):
        features = list(_features(message))
        _change(features[rng.integers(len(features))], rng)
    return message.SerializeToString()


def _features(message):
    if isinstance(message, example_pb2.Example):
        yield from (
            message.features.feature[k] for k in sorted(message.features.feature)
        )
        return
    context, lists = message.context.feature, message.feature_lists.feature_list
    yield from (context[k] for k in sorted(context))
    for name in sorted(lists):
        yield from lists[name].feature


def _change(feature, rng):
    count = int(rng.choice((0, 1, 2, 3, 5)))
    kind = rng.integers(5)
    if kind == 0:
        held = getattr(feature, feature.WhichOneof("kind") or "int64_list").value
        held.extend(list(held)[:1] * count)
        return
    feature.Clear()
    if kind == 1:
        numbers = (0, -1, 1, 2**31, 2**63 - 1, -(2**63), 10**6)
        chosen = [int(n) for n in rng.choice(np.array(numbers, object), count)]
        feature.int64_list.value.extend(chosen)
    elif kind == 2:
        numbers = (0, -1, 0.5, 1e30, float("nan"), float("inf"), float("-inf"))
        feature.float_list.value.extend(rng.choice(numbers, count))
    elif kind == 3:
        texts = (b"", b"cat", b"\xff\xfe", b"\x1b[2J", b"12", b"x" * 1000, b"nan")
        feature.bytes_list.value.extend(rng.choice(np.array(texts, object), count))


_VALUES = (
    b"", b"0", b"-1", b"1e308", b"1e999", b"nan", b"x", b"99999999999999999999", b",",
    b";", b"1,2;3", b"-5,-5;90,90;1,1", b"7,7", b"cat", b"a.jpg", b"0.5", b"2147483648",
)  # fmt: skip


def damage_attribute(data, rng):
    """Returns XML with other values of one to three attributes."""
    for _ in range(int(rng.integers(1, 4))):
        spans = [m.span(1) for m in re.finditer(rb'="([^"]*)"', data)]
        start, end = spans[rng.integers(len(spans))]
        data = data[:start] + _VALUES[rng.integers(len(_VALUES))] + data[end:]
    return data


def damage_xml(data, rng):
    """Returns XML with another text, an entity bomb or another declaration."""
    kind = rng.integers(12)
    if kind == 0:
        names = [
            b"unicode",
            b"utf-16",
            b"latin-1",
            b"idna",
            b"hex",
            b"undefined",
            b"rot13",
        ]
        name = names[rng.integers(len(names))]
        return b'<?xml version="1.0" encoding="' + name + b'"?>' + data
    if kind == 1:
        return _entities(8, 10) + data.replace(b"</name>", b"&l7;</name>", 1)
    if kind == 2:
        outside = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        return outside + data.replace(b"</name>", b"&x;</name>", 1)
    if kind == 3:
        return b"<annotation>" + b"<a>" * 50_000 + data + b"</a>" * 50_000
    return damage_text(data, rng)


def _entities(levels, width):
    """Returns entities of which each is several of the one before."""
    lines = ['<!DOCTYPE a [<!ENTITY l0 "0123456789">']
    for level in range(1, levels):
        lines.append(f'<!ENTITY l{level} "{f"&l{level - 1};" * width}">')
    return ("".join(lines) + "]>").encode()
