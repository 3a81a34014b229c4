"""Defaults that an evaluation reader takes from the training reader."""

from typing import Any

from odapi.config.protos import input_reader_pb2
from odapi.config.view import view

# Annotations besides boxes that a model learns from.
_INHERITED = (
    "load_instance_masks", "num_keypoints", "load_keypoint_depth_features",
    "load_track_id", "load_dense_pose", "use_keypoint_label_map",
    "load_context_features", "load_context_image_ids", "expand_labels_hierarchy",
    "num_additional_channels",
)  # fmt: skip


def eval_reader(config: Any, index: int = 0) -> Any:
    """Returns a view of an `eval_input_reader` with the annotations of training.

    Fields that it does not set are taken from `train_input_reader`; a field that it
    sets, such as `load_instance_masks: false`, keeps its value.

    Args:
        config: A TrainEvalPipelineConfig.
        index: Position of the reader; one that does not exist is an empty message.
    """
    config = view(config)
    train = config.train_input_reader
    reader = input_reader_pb2.InputReader()
    if index < len(config.eval_input_reader):
        reader.CopyFrom(config.eval_input_reader[index].message)
    for name in _INHERITED:
        if train.HasField(name) and not reader.HasField(name):
            setattr(reader, name, getattr(train, name))
    return view(reader)


def num_channels(config: Any) -> int:
    """Returns the channels of the images: red, green, blue and the additional ones."""
    return 3 + config.train_input_reader.num_additional_channels


def all_readers(config: Any) -> list[tuple[str, Any]]:
    """Returns (path, message) of the training reader and each evaluation reader."""
    readers = [("train_input_reader", config.train_input_reader)]
    readers += [
        (f"eval_input_reader[{n}]", eval_reader(config, n))
        for n in range(len(config.eval_input_reader))
    ]
    return readers
