"""What an input reader asks for, where it does not say so itself."""

from typing import Any

# What a model learns from beside boxes.
_LOADED = (
    "load_instance_masks", "num_keypoints", "load_keypoint_depth_features",
    "load_track_id", "load_dense_pose", "use_keypoint_label_map",
    "load_context_features", "load_context_image_ids",
)  # fmt: skip


def eval_reader(config: Any, index: int = 0) -> Any:
    """Returns an `eval_input_reader` that loads what the training data load.

    What it does not say itself is taken from `train_input_reader`; what it refuses,
    such as `load_instance_masks: false`, stays refused.

    Args:
        config: A TrainEvalPipelineConfig.
        index: Which one; one that is not there says nothing.
    """
    train = config.train_input_reader
    reader = type(train)()
    if index < len(config.eval_input_reader):
        reader.CopyFrom(config.eval_input_reader[index])
    for name in _LOADED:
        if train.HasField(name) and not reader.HasField(name):
            setattr(reader, name, getattr(train, name))
    return reader
