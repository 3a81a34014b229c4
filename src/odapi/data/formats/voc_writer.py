"""Writes Pascal VOC XML, in the folder layout of the challenge."""

import pathlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Container, Iterable

from odapi.data.formats.writer import COPY, ImageFiles, Written, in_pixels, samples
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.files import write_text
from odapi.labels import LabelMap

Path = pathlib.Path

# Optional fields that the format stores.
_STORED = ("difficult",)


def write_voc(
    source: BaseSource,
    path: Path,
    indices: Iterable[int],
    images: str = COPY,
    split: str = "train",
) -> Written:
    """Writes samples as `Annotations`, `JPEGImages` and `ImageSets/Main/SPLIT.txt`.

    Args:
        source: The dataset.
        path: The folder.
        indices: The samples to write.
        images: "copy" or "link"; "refer" writes the path into the XML file.
        split: Name of the list of images.
    """
    annotations, lists = path / "Annotations", path / "ImageSets" / "Main"
    for folder in (annotations, lists):
        folder.mkdir(parents=True, exist_ok=True)
    files = ImageFiles(path / "JPEGImages", images)
    written = Written(path)
    names: dict[str, None] = {}
    for index, sample in samples(source, indices):
        image = files.put(source, index, sample)
        name = image.name if image.is_relative_to(path) else image.as_posix()
        tree = annotation_tree(sample, name, source.label_map)
        stem = _unused(image.stem, names)
        tree.write(annotations / f"{stem}.xml", "utf-8")
        names[stem] = None
        written.lose_except(sample, _STORED)
        written.count += 1
        written.objects += len(sample["boxes"])
    write_text(lists / f"{split}.txt", "".join(f"{n}\n" for n in names))
    return written


def annotation_tree(
    sample: Sample, filename: str, label_map: LabelMap
) -> ElementTree.ElementTree:
    """Returns the XML of an image."""
    root = ElementTree.Element("annotation")
    _add(root, "filename", filename)
    size = ElementTree.SubElement(root, "size")
    height, width = sample["size"]
    for tag, value in (("width", width), ("height", height), ("depth", 3)):
        _add(size, tag, value)
    for i, box in enumerate(in_pixels(sample)):
        element = ElementTree.SubElement(root, "object")
        _add(element, "name", label_map.by_id[int(sample["classes"][i]) + 1].name)
        difficult = "difficult" in sample and sample["difficult"][i]
        _add(element, "difficult", int(difficult))
        bndbox = ElementTree.SubElement(element, "bndbox")
        sides = dict(zip(("ymin", "xmin", "ymax", "xmax"), box.tolist(), strict=True))
        for tag in ("xmin", "ymin", "xmax", "ymax"):
            _add(bndbox, tag, number_text(sides[tag]))
    tree = ElementTree.ElementTree(root)
    ElementTree.indent(tree, "\t")
    return tree


def _unused(stem: str, names: Container[str]) -> str:
    """Returns a name for an XML file; images in other folders may share theirs."""
    name, count = stem, 1
    while name in names:
        count += 1
        name = f"{stem}_{count}"
    return name


def _add(parent: ElementTree.Element, tag: str, value: object) -> None:
    ElementTree.SubElement(parent, tag).text = str(value)


def number_text(value: float) -> str:
    """Returns a number with two decimals at most."""
    # Integers without decimals, since many readers accept nothing else.
    return f"{value:.2f}".rstrip("0").rstrip(".")
