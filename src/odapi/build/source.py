"""Builds sources from input readers and dataset specs."""

import dataclasses
import os
from typing import Any

from odapi.build.keypoint_names import keypoint_label_map, with_keypoints
from odapi.build.label_hierarchy import with_expanded_labels
from odapi.build.sampling import merges_classes, with_fraction, with_merged_classes
from odapi.config.label_map import load_label_map
from odapi.config.load import options
from odapi.config.protos import input_reader_pb2
from odapi.config.readers import eval_reader, num_channels
from odapi.config.rules.files import is_placeholder
from odapi.data.context_features import CONTEXT, CONTEXT_IDS
from odapi.data.sources.base import BaseSource
from odapi.data.sources.open import open_source
from odapi.data.sources.subset import Subset
from odapi.data.sources.tfrecord import TFRecordSource, open_tfrecord
from odapi.errors import ConfigError
from odapi.fields import AskedBy, asked_by, reader_options
from odapi.labels import LabelMap

# Options of the reader that load side inputs, which are not groundtruth.
_CONTEXT = {"load_context_features": CONTEXT, "load_context_image_ids": CONTEXT_IDS}


def build_train_source(config: Any, label_map: LabelMap | None = None) -> BaseSource:
    """Opens the training data: `options.train_data`, else `train_input_reader`.

    `options.sampling` may choose a fraction of the images, and merge the classes.

    Args:
        config: A TrainEvalPipelineConfig.
        label_map: The classes; None takes the reader's label map, or else the
            classes of the dataset.

    Raises:
        ConfigError: The reader cannot be used.
        DataError: The data cannot be used.
    """
    reader, path = config.train_input_reader, "train_input_reader"
    names = keypoint_label_map(config)
    spec, drop = options(config).train_data, _drops_unknown(config)
    own = None if merges_classes(config) else label_map
    source = build_source(reader, path, spec, own, names, drop)
    source = with_expanded_labels(_with_limit(source, config), reader, config)
    source = with_merged_classes(source, config, label_map)
    return with_fraction(source, config)


def build_eval_source(
    config: Any, index: int = 0, label_map: LabelMap | None = None
) -> BaseSource:
    """Opens the evaluation data: `options.eval_data`, else an `eval_input_reader`.

    Masks, keypoints and so on are loaded if the training reader loads them, unless
    the evaluation reader sets the option.

    Args:
        config: A TrainEvalPipelineConfig.
        index: Position of the `eval_input_reader`.
        label_map: The classes, those of the trained model; None takes the reader's
            label map, or else that of the training data.

    Raises:
        ConfigError: There is no such reader, or it cannot be used.
        DataError: The data cannot be used.
    """
    readers, spec = config.eval_input_reader, options(config).eval_data
    path = f"eval_input_reader[{index}]"
    if index >= len(readers):
        if not spec or index:
            raise ConfigError(
                path,
                f"is not there; there are {len(readers)}",
                hint="name the data: --eval-data coco:PATH",
            )
    reader = eval_reader(config, index)
    own = None if merges_classes(config) else label_map
    if own is None and not _label_map_path(reader, spec):
        own = _train_label_map(config)
    names, drop = keypoint_label_map(config), _drops_unknown(config)
    source = build_source(reader, path, spec, own, names, drop)
    source = with_expanded_labels(_with_limit(source, config), reader, config)
    return with_merged_classes(source, config, label_map)


def build_source(
    reader: Any,
    path: str,
    spec: str = "",
    label_map: LabelMap | None = None,
    keypoints: LabelMap | None = None,
    drop_unknown: bool = False,
) -> BaseSource:
    """Opens the data of an InputReader.

    Args:
        reader: The message.
        path: Path of the message, for errors.
        spec: A dataset that replaces the reader's files, such as
            `voc:PATH?split=train`.
        label_map: The classes; None takes the reader's label map, or else the
            classes of the dataset.
        keypoints: Label map with the keypoints of the classes; None takes those of
            `label_map`.
        drop_unknown: Drop objects of classes that the label map lacks, instead of
            refusing the data.
    """
    if label_map is None and _label_map_path(reader, spec):
        label_map = load_label_map(reader.label_map_path)
    elif label_map is not None:
        label_map = _with_ids_of_reader(label_map, reader, spec)
    if label_map is not None and keypoints is not None:
        label_map = with_keypoints(label_map, keypoints)
    source = _opened(reader, path, spec, label_map, drop_unknown)
    if label_map is None and keypoints is not None:
        named = with_keypoints(source.label_map, keypoints)
        if named != source.label_map:
            source = _opened(reader, path, spec, named, drop_unknown)
    source = _with_keys(source, reader, path)
    if reader.frame_index >= 0 and path.startswith("train"):
        source = _one_frame(source, reader, path)
    if reader.sample_1_of_n_examples > 1:
        every = range(0, len(source), reader.sample_1_of_n_examples)
        source = Subset(source, every)
    return source


def _with_limit(source: BaseSource, config: Any) -> BaseSource:
    """Sets the channels of images, and the limit on their pixels, if there is one."""
    source.num_channels = num_channels(config)
    loading = options(config).data_loading
    if loading.HasField("max_image_megapixels"):
        source.max_pixels = loading.max_image_megapixels * 1_000_000
    return source


def _drops_unknown(config: Any) -> bool:
    return options(config).data_loading.drop_unknown_classes


def _with_ids_of_reader(label_map: LabelMap, reader: Any, spec: str) -> LabelMap:
    """Returns the classes of a model; ids without names are those of the reader."""
    path = _label_map_path(reader, spec)
    # The file of a model that was trained elsewhere may be missing here.
    unusable = not path or is_placeholder(path) or not os.path.isfile(path)
    if unusable or label_map.is_numbered:
        return dataclasses.replace(label_map, data_ids=None)
    own = load_label_map(path)
    renamed = dataclasses.replace(label_map, data_ids=own)
    same = all(c.id == getattr(renamed.of_data_id(c.id), "id", 0) for c in own)
    return dataclasses.replace(label_map, data_ids=None if same else own)


def _opened(
    reader: Any, path: str, spec: str, label_map: LabelMap | None, drop_unknown: bool
) -> BaseSource:
    if spec:
        masks = reader.load_instance_masks
        part = "train" if path.startswith("train") else "val"
        source = open_source(spec, label_map, masks, drop_unknown, part)
    else:
        source = _of_files(reader, path, label_map, drop_unknown)
    if reader.use_keypoint_label_map and isinstance(source, TFRecordSource):
        source.find_keypoints_by_name()
    return source


def _of_files(
    reader: Any, path: str, label_map: LabelMap | None, drop_unknown: bool
) -> BaseSource:
    kind = reader.WhichOneof("input_reader")
    if kind != "tf_record_input_reader":
        raise ConfigError(
            path,
            f"reads {kind or 'nothing'}; only tf_record_input_reader can be read",
            hint="other data are named by --train-data and --eval-data, such as "
            "coco:PATH or voc:PATH?split=train",
        )
    paths = list(reader.tf_record_input_reader.input_path)
    if not paths:
        raise ConfigError(f"{path}.tf_record_input_reader", "has no input_path")
    return open_tfrecord(
        paths,
        label_map,
        drop_unknown=drop_unknown,
        load_masks=reader.load_instance_masks,
        sequences=reader.input_type == input_reader_pb2.TF_SEQUENCE_EXAMPLE,
    )


def _one_frame(source: BaseSource, reader: Any, path: str) -> BaseSource:
    """Returns a source with one frame per sequence, as the original trains."""
    frames = getattr(source, "frames", [])
    wanted = [i for i, frame in enumerate(frames) if frame == reader.frame_index]
    if not wanted:
        raise ConfigError(
            f"{path}.frame_index",
            f"is {reader.frame_index}, but "
            + (
                "no sequence has such a frame with annotations"
                if frames
                else f"{source.name} has no sequences"
            ),
            hint=f"take all frames: --set {path}.frame_index=-1",
        )
    return Subset(source, wanted)


def _with_keys(source: BaseSource, reader: Any, path: str) -> BaseSource:
    keys = set(source.keys) & set(asked_by(AskedBy.ALWAYS))
    for option in reader_options():
        if getattr(reader, option):
            keys |= set(asked_by(option)) & (
                source.keys | {"keypoints", "keypoint_visibility"}
            )
    keys |= {
        k for option, k in _CONTEXT.items() if getattr(reader, option)
    } & source.keys
    wanted, have = reader.num_keypoints, source.num_keypoints
    if wanted and have and wanted != have:
        raise ConfigError(
            f"{path}.num_keypoints", f"is {wanted}; {source.name} has {have} an object"
        )
    return source.with_keys(keys, wanted)


def _label_map_path(reader: Any, spec: str) -> str:
    """Returns the reader's label map; "" for a placeholder beside a spec."""
    path = reader.label_map_path
    return "" if spec and is_placeholder(path) else path


def _train_label_map(config: Any) -> LabelMap | None:
    """Returns the classes of the training data, which evaluation data share."""
    reader, spec = config.train_input_reader, options(config).train_data
    if _label_map_path(reader, spec):
        return load_label_map(reader.label_map_path)
    if merges_classes(config):
        return None  # Those of the training data become one class, whatever they are.
    if spec or reader.WhichOneof("input_reader"):
        return build_train_source(config).label_map
    return None
