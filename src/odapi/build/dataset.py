"""Builds input pipelines from a pipeline config."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from odapi.build import dataset_checks as checks
from odapi.build.context_rcnn import bank_shape
from odapi.build.loading import Loading, build_loading
from odapi.build.mixture import build_mixture
from odapi.build.sampling import build_class_weights, build_repeats
from odapi.build.source import build_eval_source, build_train_source
from odapi.config.load import options
from odapi.data.augment.augmentation import as_augmentation
from odapi.data.loader.collate import Collate
from odapi.data.loader.order import Order
from odapi.data.loader.pipeline import Augmentation, Pipeline
from odapi.data.sources.base import BaseSource
from odapi.fields import FIELDS, LABELED_CLASSES, loaded_fields, per_keypoint
from odapi.labels import LabelMap


def build_train_dataset(
    config: Any,
    batch_size: int | None = None,
    seed: int | None = None,
    source: BaseSource | None = None,
    augmentations: Sequence[Augmentation] = (),
    label_map: LabelMap | None = None,
) -> Pipeline:
    """Returns endless, seeded, augmented batches of the training data.

    Args:
        config: A TrainEvalPipelineConfig.
        batch_size: None uses that of `train_config`.
        seed: Seed of order and augmentation; None uses that of `options`.
        source: The training data; None opens the dataset that the config names.
        augmentations: Functions `(sample, rng) -> sample` of the user, applied after
            those of the config.
        label_map: The classes of the run that is resumed; None uses the reader's
            label map, or else the classes of the dataset.

    Raises:
        ConfigError: The data, the augmentations or the resizer cannot be built.
        DataError: The data cannot be used.
    """
    loading = build_loading(config, training=True, batch_size=batch_size)
    reader, train = config.train_input_reader, config.train_config
    given = source is not None
    if source is None:
        source = build_train_source(config, label_map)
    loaded = loaded_fields(source.keys)
    checks.check_train_source(config, source, loaded, loading.augmentations)
    if train.use_multiclass_scores or train.merge_multiple_label_boxes:
        loaded.append("multiclass_scores")
    own = tuple(map(as_augmentation, augmentations))
    own = build_class_weights(config, source.label_map) + own
    loading = dataclasses.replace(loading, augmentations=loading.augmentations + own)
    parts, weights = ((), ()) if given else build_mixture(reader, source)
    order = Order(
        training=True,
        shuffle=reader.shuffle,
        seed=options(config).seed if seed is None else seed,
        parts=parts,
        weights=weights,
        repeats=build_repeats(config, source),
    )
    return _pipeline(config, source, reader, loading, order, loaded)


def build_eval_dataset(
    config: Any,
    batch_size: int | None = None,
    index: int = 0,
    label_map: LabelMap | None = None,
    source: BaseSource | None = None,
) -> Pipeline:
    """Returns one ordered pass over the evaluation data, the last batch padded.

    Args:
        config: A TrainEvalPipelineConfig.
        batch_size: None uses that of `eval_config`.
        index: Position of the `eval_input_reader`.
        label_map: The classes of the trained model; None uses the reader's label map,
            or the classes of the training data if it has none.
        source: The evaluation data; None opens the dataset that the config names.

    Raises:
        ConfigError: The data or the resizer cannot be built.
        DataError: The data cannot be used.
    """
    loading = build_loading(config, training=False, batch_size=batch_size)
    if source is None:
        source = build_eval_source(config, index, label_map)
    readers = config.eval_input_reader
    reader = readers[index] if index < len(readers) else config.train_input_reader
    checks.check_eval_source(config, source, index)
    loaded = loaded_fields(source.keys, metrics=True)
    order = Order(training=False)
    return _pipeline(config, source, reader, loading, order, loaded)


def _pipeline(
    config: Any,
    source: BaseSource,
    reader: Any,
    loading: Loading,
    order: Order,
    loaded: Iterable[str],
) -> Pipeline:
    collate = Collate(
        loading.batch_size,
        reader.max_number_of_boxes,
        fields=(*dict.fromkeys(loaded), *_image_fields(config)),
        keep_all=not order.training,
        problems=source.problems,
        shapes=_shapes(config, source),
        context=bank_shape(config),
        buckets=loading.buckets,
    )
    return Pipeline(
        source,
        loading.resizer,
        collate,
        order,
        loading.augmentations,
        threads=loading.threads,
        prefetch=loading.prefetch,
        cache=loading.cache,
        processes=loading.processes,
    )


def _shapes(config: Any, source: BaseSource) -> dict[str, tuple[int, ...]]:
    """Returns the shape per object of fields whose size depends on the dataset."""
    number: Any = source.num_keypoints
    shapes = {name: (number, *FIELDS[name].shape[1:]) for name in per_keypoint()}
    return shapes | {LABELED_CLASSES: (config.model.center_net.num_classes,)}


def _image_fields(config: Any) -> tuple[str, ...]:
    """Returns the groundtruth of whole images that the model reads."""
    params = config.model.center_net.object_center_params
    return (LABELED_CLASSES,) if params.use_labeled_classes else ()
