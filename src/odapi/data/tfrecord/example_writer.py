"""Writing of tf.Examples in the format of the TF Object Detection API."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from odapi.data import context_features as context
from odapi.data.mask_encoding import encode_png_mask
from odapi.data.sample import Sample
from odapi.data.tfrecord.example import (
    ADDITIONAL_CHANNELS,
    DENSEPOSE,
    OFFSET,
    SIDES,
)
from odapi.data.tfrecord.protos import example_pb2
from odapi.fields import FIELDS, LABELED_CLASSES, NOT_EXHAUSTIVE
from odapi.labels import LabelMap


def example_of(sample: Sample, label_map: LabelMap) -> bytes:
    """Returns a serialized tf.Example.

    Args:
        sample: With `encoded` (bytes), `header` and `size` instead of `image`, as
            returned by `encoded_sample` of a source.
        label_map: The classes.
    """
    example = example_pb2.Example()
    features = example.features.feature
    height, width = sample["size"]
    image: bytes = sample["encoded"]
    _integers(features, "image/height", [height])
    _integers(features, "image/width", [width])
    _texts(features, "image/filename", [sample.get("filename", "")])
    _texts(features, "image/source_id", [sample["image_id"]])
    _texts(features, "image/key/sha256", [hashlib.sha256(image).hexdigest()])
    _bytes(features, "image/encoded", [image])
    _texts(features, "image/format", [sample["header"].format or "jpeg"])
    for side, values in zip(SIDES, sample["boxes"].T, strict=True):
        _floats(features, f"image/object/bbox/{side}", values)
    ids = [int(c) + 1 for c in sample["classes"]]
    _integers(features, "image/object/class/label", ids)
    names = [label_map.by_id[i].name for i in ids]
    _texts(features, "image/object/class/text", names)
    for field in FIELDS.values():
        if field.feature and field.name in sample:
            put = _floats if field.dtype == "float32" else _integers
            put(features, field.feature, sample[field.name])
    if "multiclass_scores" in sample:
        name = "image/object/class/multiclass_scores"
        _floats(features, name, sample["multiclass_scores"].reshape(-1))
    if "masks" in sample:
        pngs = [encode_png_mask(mask) for mask in sample["masks"]]
        _bytes(features, "image/object/mask", pngs)
    if "keypoints" in sample:
        _keypoints(features, sample, [label_map.by_id[i].keypoints for i in ids])
    _labeled_classes(features, sample, label_map)
    write_densepose_and_motion(features, sample)
    write_context(features, sample)
    if "additional_encoded" in sample:
        _bytes(features, ADDITIONAL_CHANNELS, sample["additional_encoded"])
    # The order of features would otherwise differ between processes.
    return example.SerializeToString(deterministic=True)


def _labeled_classes(features: Any, sample: Sample, label_map: LabelMap) -> None:
    """Adds the classes that were annotated in the image: present, absent, partly."""
    if LABELED_CLASSES not in sample:
        return
    present = {int(c) + 1 for c in sample["classes"]}
    labeled = {int(c) + 1 for c in sample[LABELED_CLASSES]}
    ids = sorted(labeled & present)
    _integers(features, "image/class/label", ids)
    _texts(features, "image/class/text", [label_map.by_id[i].name for i in ids])
    _integers(features, "image/neg_category_ids", sorted(labeled - present))
    partial = sorted(int(c) + 1 for c in sample.get(NOT_EXHAUSTIVE, ()))
    if partial:
        _integers(features, "image/not_exhaustive_category_ids", partial)


def _keypoints(features: Any, sample: Sample, named: Sequence[Any]) -> None:
    points = np.nan_to_num(sample["keypoints"])
    _floats(features, "image/object/keypoint/y", points[..., 0].reshape(-1))
    _floats(features, "image/object/keypoint/x", points[..., 1].reshape(-1))
    visibility = sample["keypoint_visibility"]
    _integers(features, "image/object/keypoint/visibility", visibility.reshape(-1))
    labeled = (visibility > 0).sum(1)
    _integers(features, "image/object/keypoint/num", labeled)
    for name, key in (("z", "depths"), ("z/weights", "depth_weights")):
        if f"keypoint_{key}" in sample:
            values = sample[f"keypoint_{key}"].reshape(-1)
            _floats(features, f"image/object/keypoint/{name}", values)
    columns = visibility.shape[1]
    if all(k.id < columns for keypoints in named for k in keypoints):
        names = [{k.id: k.name for k in keypoints} for keypoints in named]
        texts = [own.get(i, "") for own in names for i in range(columns)]
    else:  # More classes than the data has slots for: all in order.
        texts = [k.name for keypoints in named for k in keypoints]
    if any(texts) and len(texts) == visibility.size:
        _texts(features, "image/object/keypoint/text", texts)


def write_context(features: Any, sample: Sample) -> None:
    """Adds the memory bank, if any, and the ids of its images."""
    bank = sample.get(context.CONTEXT)
    if bank is None or not bank.shape[1]:
        return
    _floats(features, context.VALUES, bank.reshape(-1))
    _integers(features, context.LENGTH, [bank.shape[1]])
    if sample.get(context.CONTEXT_IDS):
        _texts(features, context.IDS, sample[context.CONTEXT_IDS])


def write_densepose_and_motion(features: Any, sample: Sample) -> None:
    """Adds the DensePose points of all objects, concatenated, and offsets."""
    if "densepose_points" in sample:
        number, points = sample["densepose_num_points"], sample["densepose_points"]
        valid = np.arange(points.shape[1]) < number[:, None]
        _integers(features, f"{DENSEPOSE}num", number)
        parts = sample["densepose_part_ids"][valid]
        _integers(features, f"{DENSEPOSE}part_index", parts)
        for side, values in zip("yxvu", points[valid].T, strict=True):
            _floats(features, f"{DENSEPOSE}{side}", values)
    if "temporal_offsets" in sample:
        for side, values in zip("yx", sample["temporal_offsets"].T, strict=True):
            _floats(features, f"{OFFSET}{side}", values)
        _integers(features, f"{OFFSET}known", sample["track_match_flags"])


def _integers(features: Any, name: str, values: Any) -> None:
    values = np.asarray(values).astype(np.int64).tolist()
    features[name].int64_list.value.extend(values)


def _floats(features: Any, name: str, values: Any) -> None:
    features[name].float_list.value.extend(np.asarray(values, np.float64).tolist())


def _texts(features: Any, name: str, values: Sequence[str]) -> None:
    _bytes(features, name, [v.encode() for v in values])


def _bytes(features: Any, name: str, values: Sequence[bytes]) -> None:
    features[name].bytes_list.value.extend(values)
