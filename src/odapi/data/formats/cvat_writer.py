"""Writes "CVAT for images" XML, with the images in a folder beside it."""

import os
import pathlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable

import numpy as np

from odapi.data.formats.writer import COPY, ImageFiles, Written, in_pixels, samples
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.files import write_bytes
from odapi.labels import Category, LabelMap

Path = pathlib.Path
Element = ElementTree.Element

# Optional fields that the format stores.
_STORED = ("masks", "keypoints", "is_crowd", "difficult", "track_ids")

# Field of a sample -> attribute, its type in CVAT, its default and its values.
_ATTRIBUTES = {
    "difficult": ("difficult", "checkbox", "false", "false"),
    "is_crowd": ("is_crowd", "checkbox", "false", "false"),
    "track_ids": ("track_id", "number", "0", "0;2147483647;1"),
}


def write_cvat(
    source: BaseSource, path: Path, indices: Iterable[int], images: str = COPY
) -> Written:
    """Writes samples as `annotations.xml`, with the images in `images` beside it.

    An object is a box; with a mask a mask, and a box of its group if its box is
    another one; with keypoints also a skeleton of its group. Keypoints without names
    are lost.

    Args:
        source: The dataset.
        path: The folder.
        indices: The samples to write.
        images: "copy", "link" or "refer".
    """
    path.mkdir(parents=True, exist_ok=True)
    files = ImageFiles(path / "images", images)
    written = Written(path)
    elements, used = [], set()
    for index, sample in samples(source, indices):
        image = files.put(source, index, sample)
        # CVAT names images below `images`.
        name = os.path.relpath(image, path / "images")
        element = _image(sample, written.count, Path(name).as_posix())
        for i in range(len(sample["boxes"])):
            element.extend(_shapes(sample, i, source.label_map))
        elements.append(element)
        used |= {a.get("name", "") for a in element.iter("attribute")}
        written.lose_except(sample, _STORED)
        if not source.label_map.num_keypoints:
            written.lose(sample, ("keypoints",))
        written.count += 1
        written.objects += len(sample["boxes"])
    root = Element("annotations")
    _add(root, "version", "1.1")
    root.append(_meta(source.label_map, len(elements), used))
    root.extend(elements)
    ElementTree.indent(root)
    data = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    write_bytes(path / "annotations.xml", data + b"\n")
    return written


def _meta(label_map: LabelMap, count: int, used: set[str]) -> Element:
    """Returns the description of the task: its labels and their attributes."""
    meta = Element("meta")
    task = ElementTree.SubElement(meta, "task")
    _add(task, "size", count)
    _add(task, "mode", "annotation")
    labels = ElementTree.SubElement(task, "labels")
    for category in label_map:
        label = ElementTree.SubElement(labels, "label")
        _add(label, "name", category.name)
        _add(label, "type", "skeleton" if category.keypoints else "any")
        attributes = ElementTree.SubElement(label, "attributes")
        for name, kind, default, values in _ATTRIBUTES.values():
            if name in used:
                attribute = ElementTree.SubElement(attributes, "attribute")
                _add(attribute, "name", name)
                _add(attribute, "mutable", "False")
                _add(attribute, "input_type", kind)
                _add(attribute, "default_value", default)
                _add(attribute, "values", values)
    for category in label_map:
        for keypoint in category.keypoints:
            label = ElementTree.SubElement(labels, "label")
            _add(label, "name", keypoint.name)
            _add(label, "type", "points")
            _add(label, "parent", category.name)
    return meta


def _image(sample: Sample, number: int, name: str) -> Element:
    height, width = sample["size"]
    sides = {"width": str(int(width)), "height": str(int(height))}
    return Element("image", {"id": str(number), "name": name} | sides)


def _shapes(sample: Sample, i: int, label_map: LabelMap) -> list[Element]:
    """Returns the elements of an object."""
    category = label_map.by_id[int(sample["classes"][i]) + 1]
    common = {"label": category.name, "source": "manual", "occluded": "0"}
    mask = sample["masks"][i] if "masks" in sample else None
    y_min, x_min, y_max, x_max = box = in_pixels(sample)[i].tolist()
    sides = {"xtl": x_min, "ytl": y_min, "xbr": x_max, "ybr": y_max}
    texts = {name: f"{value:.2f}" for name, value in sides.items()}
    skeleton = _skeleton(sample, i, category)
    shapes, around = [], None
    if mask is not None and mask.any():
        runs, around = _runs(mask)
        shapes.append(Element("mask", common | runs | {"z_order": "0"}))
    if around != box or len(skeleton):
        shapes.append(Element("box", common | texts | {"z_order": "0"}))
    if len(skeleton):
        shapes.append(skeleton)
    if len(shapes) > 1:
        for shape in shapes:
            shape.set("group_id", str(i + 1))
    for key, (name, *_) in _ATTRIBUTES.items():
        default = -1 if key == "track_ids" else False
        if key in sample and sample[key][i] != default:
            text = "true" if key != "track_ids" else str(int(sample[key][i]))
            _add(shapes[0], "attribute", text).set("name", name)
    return shapes


def _skeleton(sample: Sample, i: int, category: Category) -> Element:
    """Returns the keypoints of an object; without elements if none is labeled."""
    skeleton = Element("skeleton", {"label": category.name, "source": "manual"})
    if "keypoints" not in sample or not sample["keypoint_visibility"][i].any():
        return skeleton
    size = np.array(sample["size"], np.float64)
    points = np.nan_to_num(sample["keypoints"][i].astype(np.float64)) * size
    for keypoint in category.keypoints:
        if keypoint.id < len(points):
            y, x = points[keypoint.id].tolist()
            visibility = sample["keypoint_visibility"][i][keypoint.id]
            attributes = {
                "label": keypoint.name,
                "source": "manual",
                "outside": str(int(visibility == 0)),
                "occluded": str(int(visibility == 1)),
                "points": f"{x:.3f},{y:.3f}",
            }
            ElementTree.SubElement(skeleton, "points", attributes)
    return skeleton


def _runs(mask: np.ndarray) -> tuple[dict[str, str], list[float]]:
    """Returns the attributes of a mask, and the box around it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, left, bottom, right = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    flat = np.asarray(mask[top:bottom, left:right]).reshape(-1).astype(bool)
    # Of run lengths, the first is of zeros.
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flat])))
    runs = np.diff(np.concatenate([[0], changes, [len(flat)]]))
    attributes = {
        "rle": ", ".join(map(str, runs.tolist())),
        "left": str(left),
        "top": str(top),
        "width": str(right - left),
        "height": str(bottom - top),
    }
    return attributes, [float(side) for side in (top, left, bottom, right)]


def _add(parent: Element, tag: str, value: object) -> Element:
    element = ElementTree.SubElement(parent, tag)
    element.text = str(value)
    return element
