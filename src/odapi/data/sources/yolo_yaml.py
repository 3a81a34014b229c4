"""Description files of YOLO datasets: `data.yaml`, and Darknet's `obj.data`."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import yaml

from odapi.errors import DataError
from odapi.files import read_text

Path = pathlib.Path

# Texts that stand for no value, where a path or a number is expected.
_ABSENT = ("", "~", "null", "Null", "NULL")

# Keys with a meaning; the values of all others may be anything, even malformed.
SPLITS = ("train", "val", "valid", "test")
_MAX_DEPTH = 3  # Of kpt_names: a mapping of lists.
_MERGE = "tag:yaml.org,2002:merge"  # Key `<<`: the entries of other mappings.

KEYS = (
    *SPLITS, "path", "names", "nc", "kpt_shape", "kpt_names", "flip_idx", "lines",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class DataFile:
    """Content of a description file. All scalars are texts, as written.

    Class names such as `no`, `1.0` or `2024-01-01` are no booleans, numbers or dates.

    Args:
        path: The file.
        values: Texts, lists, or pairs of mappings, by the top-level keys.
        lines: Line numbers of the keys.
    """

    path: Path
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def get(self, key: str) -> Any:
        """Returns the value of a key, or None if it is missing or empty."""
        value = self.values.get(key)
        return None if isinstance(value, str) and value in _ABSENT else value

    def place(self, key: str) -> str:
        """Returns file and line of a key, for messages."""
        return f"{self.path}:{self.lines[key]}"

    def paths(self, key: str) -> list[str]:
        """Returns the paths that a key names.

        Raises:
            DataError: The value is neither a path nor a list of paths.
        """
        value = self.get(key)
        given = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(path, str) for path in given):
            raise DataError(
                self.place(key),
                f"{key} must be a path or a list of paths, got {value}",
                hint=f"write {key}: images/{key}",
            )
        return [path for path in given if path not in _ABSENT]


def read_data_file(path: Path) -> DataFile:
    """Returns the content of `data.yaml`, or of a Darknet file `*.data`.

    Raises:
        DataError: The file cannot be read or parsed, or has a key twice; the place is
            file and line.
    """
    text = read_text(path)
    if path.suffix == ".data":
        return _darknet(text, path)
    root = _compose(text, path)
    if root is None:
        raise DataError(str(path), "is empty", hint="write train: and names:")
    if not isinstance(root, yaml.MappingNode):
        raise DataError(
            f"{path}:{_line(root)}",
            "must have keys such as train: and names:",
        )
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key_node, node in _entries(root):
        key = key_node.value
        if not isinstance(key_node, yaml.ScalarNode):
            continue
        if key in values and key in KEYS:
            raise DataError(
                f"{path}:{_line(key_node)}",
                f"{key!r} is already given on line {lines[key]}",
                hint="remove one of them",
            )
        values[key] = _plain(node, path) if key in KEYS else _text_or_list(node)
        lines[key] = _line(key_node)
    return DataFile(path, values, lines)


def _compose(text: str, path: Path) -> yaml.Node | None:
    """Returns the syntax tree, in which scalars are not interpreted yet."""
    try:
        return yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        context = f": {error.context}" if error.context else ""
        problem = f"is no YAML{context}: {error.problem}"
        raise DataError(place, problem, hint=_hint(error.problem or "")) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        shown = f"is no YAML: it has the character {chr(int(error.character))!r}"
        raise DataError(f"{path}:{line}", shown, hint="remove it") from error
    except RecursionError as error:
        raise DataError(str(path), "is no YAML: it is nested too deeply") from error


def _hint(problem: str) -> str:
    if "'\\t'" in problem:
        return "indent with spaces, not with tabs"
    if "another document" in problem:
        return "keep one document: remove the other one, and the line --- between them"
    return "put text with special characters into quotes: 'a: b'"


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _plain(node: yaml.Node, path: Path, depth: int = 0) -> Any:
    """Returns texts, lists and, of mappings, pairs of texts and values.

    Raises:
        DataError: A mapping has a key twice, or the value is nested too deeply, as
            aliases can be.
    """
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if depth == _MAX_DEPTH:
        raise DataError(f"{path}:{_line(node)}", "is nested too deeply")
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, path, depth + 1) for item in node.value]
    pairs: dict[str, Any] = {}
    for key_node, value in _entries(node):
        key = str(key_node.value)
        if key in pairs:
            raise DataError(
                f"{path}:{_line(key_node)}",
                f"{key} appears twice",
                hint="each class needs its own number",
            )
        pairs[key] = _plain(value, path, depth + 1)
    return pairs


def _entries(
    node: yaml.MappingNode, depth: int = 0
) -> list[tuple[yaml.Node, yaml.Node]]:
    """Returns the entries of a mapping; its own ones replace merged ones."""
    entries = [(key, value) for key, value in node.value if key.tag != _MERGE]
    given = {key.value for key, _ in entries if isinstance(key, yaml.ScalarNode)}
    for key, value in node.value:
        if key.tag != _MERGE or depth == _MAX_DEPTH:
            continue
        for other in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if isinstance(other, yaml.MappingNode):
                merged = _entries(other, depth + 1)
                entries += [pair for pair in merged if pair[0].value not in given]
                given |= {k.value for k, _ in merged if isinstance(k, yaml.ScalarNode)}
    return entries


def _text_or_list(node: yaml.Node) -> Any:
    """Returns the value of an unknown key if it may be a split, else None."""
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        texts = [n.value for n in node.value if isinstance(n, yaml.ScalarNode)]
        return texts if len(texts) == len(node.value) else None
    return None


def _darknet(text: str, path: Path) -> DataFile:
    """Returns the lines `key = value` of a Darknet file."""
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        content = line.strip()
        if not content or content.startswith(("#", ";")):
            continue
        key, equals, value = (part.strip() for part in content.partition("="))
        if not equals:
            raise DataError(
                f"{path}:{number}",
                f"must be key = value, got {content!r}",
                hint="a Darknet file has train =, valid = and names =",
            )
        name = {"classes": "nc"}.get(key, key)
        values[name], lines[name] = value, number
    return DataFile(path, values, lines)


class _Dumper(yaml.SafeDumper):
    """Writes texts with line ends and control characters as escapes."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML does not read back what it writes of some of them in other styles.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent)


def format_data_yaml(content: Mapping[str, Any]) -> str:
    """Returns the text of a data.yaml, which `read_data_file` reads back."""
    return yaml.dump(
        dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31
    )
