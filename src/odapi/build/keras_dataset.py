"""Builds datasets for `keras.Model.fit` from a pipeline config."""

from typing import Any

from odapi.build.dataset import build_eval_dataset, build_train_dataset
from odapi.data.loader.keras_dataset import KerasDataset
from odapi.errors import ConfigError, unknown_choice
from odapi.labels import LabelMap

TRAIN, EVAL = "train", "eval"


def build_dataset(
    config: Any,
    split: str = TRAIN,
    batch_size: int | None = None,
    label_map: LabelMap | None = None,
) -> KerasDataset:
    """Returns the data of a config as a `keras.utils.PyDataset`, on every backend.

        model.fit(odapi.build_dataset(config), epochs=10,
                  validation_data=odapi.build_dataset(config, "eval"))

    Items are pairs of the input dict and the groundtruth dict of a batch.

    Args:
        config: A TrainEvalPipelineConfig.
        split: "train": augmented and shuffled; "eval": one ordered pass.
        batch_size: None takes that of `train_config` or `eval_config`.
        label_map: The classes of the evaluation data, those of the trained model;
            None takes the reader's label map.

    Raises:
        ConfigError: There is no such split, or the data, the augmentations or the
            resizer cannot be built, or images vary in size.
        DataError: The data cannot be used.
    """
    if split not in (TRAIN, EVAL):
        raise unknown_choice("split", split, (TRAIN, EVAL))
    readers = config.eval_input_reader
    reader = readers[0] if split == EVAL and readers else config.train_input_reader
    if split == TRAIN:
        pipeline = build_train_dataset(config, batch_size)
    else:
        pipeline = build_eval_dataset(config, batch_size, label_map=label_map)
    if not pipeline.has_one_size:
        pipeline.close()
        raise ConfigError(
            "model image_resizer",
            "gives images of varying sizes, which `fit` of Keras cannot batch",
            hint="set pad_to_max_dimension of the keep_aspect_ratio_resizer or take a "
            "fixed_shape_resizer; odapi.train takes varying sizes",
        )
    return KerasDataset(pipeline, reader.max_number_of_boxes)
