"""Writes `docs/api_reference.md` from the docstrings of the public names.

python -m odapi.api.reference docs/api_reference.md
"""

import dataclasses
import inspect
import operator
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

import odapi

_HEAD = """# API reference

The public names of `odapi`. This page is generated from their docstrings by
`python -m odapi.api.reference docs/api_reference.md`; [python.md](python.md) shows how
they are used together.
"""

# In the order of the page; every public name is in one of them.
SECTIONS = {
    "Models": ("ObjectDetector",),
    "Results": ("Prediction", "DetectedObject", "Predictions", "Tiling"),
    "Functions": ("train", "tune", "evaluate", "predict", "export",
        "import_checkpoint", "export_checkpoint", "replay",
    ),
    "Training in several processes": ("Cluster",),
    "Building": ("load_config", "build_detector", "build_dataset", "load_detector"),
    "Augmentation": ("from_albumentations",),
    "Architectures": tuple(
        f"models.{name}"
        for name in (
            "SSD", "RetinaNet", "EfficientDet", "CenterNet", "FasterRCNN", "MaskRCNN",
            "config_for",
        )
    ),
    "Classes of objects": ("LabelMap", "Category"),
    "Errors": (
        "OdapiError", "ConfigError", "DataError", "CheckpointError", "DivergedError",
        "ClusterError", "ExportError", "OutputError", "MissingPackageError",
    ),
}  # fmt: skip

_SECTION = re.compile(r"^(Args|Returns|Raises|Attributes|Yields|Source):(.*)$")
_ENTRY = re.compile(r"^    (\S.*?): (.*)$")


def text() -> str:
    """Returns the whole page."""
    lines = [_HEAD]
    for title, names in SECTIONS.items():
        lines += [f"## {title}", ""]
        for name in names:
            lines += _entry(name, operator.attrgetter(name)(odapi))
    return "\n".join(lines).rstrip() + "\n"


def _entry(name: str, value: Any) -> Iterator[str]:
    kind = "class " if inspect.isclass(value) else ""
    yield f"### {kind}`odapi.{name}{_signature(value)}`"
    yield ""
    yield from _markdown(inspect.getdoc(value) or "")
    if not inspect.isclass(value) or issubclass(value, odapi.OdapiError):
        return
    for member, found in vars(value).items():
        if member.startswith("_"):
            continue
        if isinstance(found, property):
            yield f"#### `{name}.{member}`"
        elif inspect.isfunction(found) or isinstance(found, classmethod):
            yield f"#### `{name}.{member}{_signature(getattr(value, member))}`"
        else:
            continue
        yield ""
        yield from _markdown(inspect.getdoc(found) or "")


def _signature(value: Any) -> str:
    """Returns the parameters with their defaults, without annotations."""
    if inspect.isclass(value) and not dataclasses.is_dataclass(value):
        return ""
    signature = inspect.signature(value)
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    shown = signature.replace(
        parameters=parameters, return_annotation=inspect.Signature.empty
    )
    return re.sub(r"=LabelMap\([^()]*(\(\))?[^()]*\)", "=no classes", str(shown))


def _markdown(doc: str) -> Iterator[str]:
    """Returns a docstring as Markdown: sections become lists."""
    lines = doc.splitlines()
    position = 0
    while position < len(lines):
        match = _SECTION.match(lines[position])
        if match is None:
            yield lines[position]
            position += 1
            continue
        end = position + 1
        while end < len(lines) and (lines[end].startswith("    ") or not lines[end]):
            end += 1
        yield from _section(match, lines[position + 1 : end])
        position = end
    yield ""


def _section(match: re.Match[str], body: list[str]) -> Iterator[str]:
    yield f"**{match[1]}**{match[2]}"
    yield ""
    entries: list[str] = []
    for line in body:
        entry = _ENTRY.match(line)
        if entry and match[1] in ("Args", "Raises", "Attributes"):
            entries.append(f"- `{entry[1]}`: {entry[2]}")
        elif entries and line.strip():
            entries[-1] += f" {line.strip()}"
        elif line.strip():
            entries.append(line.strip())
    yield from entries
    yield ""


def main(path: str = "docs/api_reference.md") -> None:
    """Writes the page to `path`."""
    pathlib.Path(path).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:2])
