"""Input pipelines, from a pipeline config."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from odapi.build.augment import (
    build_augmentations,
    check_densepose,
    check_keypoints,
)
from odapi.build.context_rcnn import bank_shape, check_context
from odapi.build.keypoint_names import check_places
from odapi.build.metrics import COCO_MASKS
from odapi.build.resizer import model_resizer
from odapi.build.source import build_eval_source, build_train_source
from odapi.config.load import options
from odapi.config.view import view
from odapi.data.augment.augmentation import as_augmentation
from odapi.data.image.resize import Identity, Resizer
from odapi.data.loader.buckets import Buckets, buckets_of
from odapi.data.loader.collate import Collate
from odapi.data.loader.order import Order
from odapi.data.loader.pipeline import Augmentation, MergeEqualBoxes, Pipeline
from odapi.data.sources.base import BaseSource
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.errors import ConfigError, DataError
from odapi.fields import FIELDS, LABELED_CLASSES, loaded_fields, per_keypoint
from odapi.labels import LabelMap


def build_train_dataset(
    config: Any,
    batch_size: int | None = None,
    seed: int | None = None,
    source: BaseSource | None = None,
    augmentations: Sequence[Augmentation] = (),
) -> Pipeline:
    """Returns endless, seeded, augmented batches of the training data.

    Args:
        config: A TrainEvalPipelineConfig.
        batch_size: None takes that of `train_config`.
        seed: Of order and augmentation; None takes that of `options`.
        source: The training data; None opens the dataset that the config names.
        augmentations: Functions `(sample, rng) -> sample` of the user, applied after
            those of the config.

    Raises:
        ConfigError: The data, the augmentations or the resizer cannot be built.
        DataError: The data cannot be used.
    """
    reader, train = config.train_input_reader, config.train_config
    spec = options(config).train_data if source is None else source.name
    if source is None:
        source = build_train_source(config)
    _check_classes(config, source)
    context = bank_shape(config)
    check_context(context, source, "train_input_reader")
    steps = build_augmentations(train.data_augmentation_options)
    fields = loaded_fields(source.keys)
    if "keypoints" in fields:
        check_places(config, source.num_keypoints)
        check_keypoints(steps, source.num_keypoints)
    if "densepose_points" in fields:
        check_densepose(steps)
    if train.use_multiclass_scores:
        fields.append("multiclass_scores")
        _check_scores(reader, source)
    if train.merge_multiple_label_boxes:
        steps += (_merge(config),)
        fields = [*fields, "multiclass_scores"]
    steps += tuple(map(as_augmentation, augmentations))
    parts, weights = _mixture(reader, source, spec)
    return _pipeline(
        config,
        source,
        Collate(
            batch_size or train.batch_size,
            reader.max_number_of_boxes,
            fields=(*dict.fromkeys(fields), *_of_images(config)),
            problems=source.problems,
            shapes=_shapes(config, source),
            context=context,
        ),
        Order(
            training=True,
            shuffle=reader.shuffle,
            seed=options(config).seed if seed is None else seed,
            parts=parts,
            weights=weights,
        ),
        steps,
    )


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
        batch_size: None takes that of `eval_config`.
        index: Which `eval_input_reader`.
        label_map: The classes, those of the trained model; None takes the reader's,
            or where it has none those of the training data.
        source: The evaluation data; None opens the dataset that the config names.

    Raises:
        ConfigError: The data or the resizer cannot be built.
        DataError: The data cannot be used.
    """
    if source is None:
        source = build_eval_source(config, index, label_map)
    readers = config.eval_input_reader
    reader = readers[index] if index < len(readers) else config.train_input_reader
    _check_masks(config, source)
    context = bank_shape(config)
    check_context(context, source, f"eval_input_reader[{index}]")
    fields = loaded_fields(source.keys, metrics=True)
    return _pipeline(
        config,
        source,
        Collate(
            batch_size or config.eval_config.batch_size,
            reader.max_number_of_boxes,
            fields=(*fields, *_of_images(config)),
            keep_all=True,
            problems=source.problems,
            shapes=_shapes(config, source),
            context=context,
        ),
        Order(training=False),
    )


def _pipeline(
    config: Any,
    source: BaseSource,
    collate: Collate,
    order: Order,
    augmentations: tuple[Augmentation, ...] = (),
) -> Pipeline:
    resizer = model_resizer(config)
    if not order.training and config.eval_config.force_no_resize:
        resizer = Identity()
    loading = options(config).data_loading
    processes = loading.processes if order.training else 0
    buckets = _buckets(config, resizer, collate, order)
    if processes and buckets is not None:
        raise ConfigError(
            "options.data_loading.processes",
            f"{processes} cannot be had with pictures of many sizes, as this "
            "image_resizer gives them: processes make whole batches",
            hint="set it to 0, or options.data_loading.size_buckets to 0, which pads "
            "to the largest picture of a batch",
        )
    return Pipeline(
        source,
        resizer,
        dataclasses.replace(collate, buckets=buckets),
        order,
        augmentations,
        threads=loading.threads,
        prefetch=loading.prefetch,
        cache=loading.cache_mb << 20,
        processes=processes,
    )


def _buckets(
    config: Any, resizer: Resizer, collate: Collate, order: Order
) -> Buckets | None:
    # One picture an evaluation keeps its size: padding changes its edge a little.
    if not order.training and collate.batch_size == 1:
        return None
    return buckets_of(resizer, options(config).data_loading.size_buckets)


def _shapes(config: Any, source: BaseSource) -> dict[str, tuple[int, ...]]:
    number: Any = source.num_keypoints
    shapes = {name: (number, *FIELDS[name].shape[1:]) for name in per_keypoint()}
    return shapes | {LABELED_CLASSES: (config.model.center_net.num_classes,)}


def _of_images(config: Any) -> tuple[str, ...]:
    """Returns the groundtruth of whole images that the model reads."""
    center_net = config.model.center_net
    used = center_net.object_center_params.use_labeled_classes
    return (LABELED_CLASSES,) if used else ()


def _check_classes(config: Any, source: BaseSource) -> None:
    kind = config.model.WhichOneof("model")
    most = getattr(getattr(config.model, kind or "", None), "num_classes", 0)
    highest = source.label_map.num_classes
    if 0 < most < highest:
        raise ConfigError(
            f"model.{kind}.num_classes",
            f"is {most}, but classes of {source.name} go to {highest} "
            f"({source.label_map.by_id[highest].label})",
            hint=f"--set model.{kind}.num_classes={highest}",
        )


def _check_masks(config: Any, source: BaseSource) -> None:
    if COCO_MASKS in config.eval_config.metrics_set and "masks" not in source.keys:
        raise DataError(
            source.name,
            f"has no masks, which {COCO_MASKS} compares",
            hint="take the metric out of eval_config.metrics_set, or set "
            "load_instance_masks: true if the data have masks",
        )


def _check_scores(reader: Any, source: BaseSource) -> None:
    if not reader.load_multiclass_scores:
        raise ConfigError(
            "train_config.use_multiclass_scores",
            "needs scores, which the reader does not load",
            hint="--set train_input_reader.load_multiclass_scores=true",
        )
    if "multiclass_scores" not in source.keys:
        raise ConfigError(
            "train_config.use_multiclass_scores",
            f"needs scores, which {source.name} does not have",
            hint="they are in image/object/class/multiclass_scores of a tf.Example",
        )


def _merge(config: Any) -> MergeEqualBoxes:
    if config.train_config.use_multiclass_scores:
        raise ConfigError(
            "train_config.merge_multiple_label_boxes",
            "cannot be together with use_multiclass_scores: both say which classes "
            "an object has",
        )
    model = getattr(config.model, config.model.WhichOneof("model"))
    return MergeEqualBoxes(model.num_classes)


def _mixture(
    reader: Any, source: BaseSource, spec: str
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Returns samples and weight of each input_path, empty where there are none."""
    weights = view(reader).sample_from_datasets_weights
    path = "train_input_reader.sample_from_datasets_weights"
    if not weights:
        return (), ()
    if spec:
        raise ConfigError(path, f"has no effect on {spec!r}", hint="take it out")
    paths = list(reader.tf_record_input_reader.input_path)
    if len(weights) != len(paths):
        raise ConfigError(path, f"has {len(weights)} weights for {len(paths)} paths")
    if min(weights) < 0 or not any(weights):
        raise ConfigError(path, "must be 0 or more, and not all 0")
    whole = [
        len(open_tfrecord(one, source.label_map, load_masks=False)) for one in paths
    ]
    step = max(reader.sample_1_of_n_examples, 1)
    ends = [-(-end // step) for end in itertools.accumulate(whole)]
    parts = tuple(end - start for start, end in itertools.pairwise([0, *ends]))
    if sum(parts) != len(source):
        raise ConfigError(
            path,
            "needs input_path that do not share files",
            hint=f"they hold {sum(whole)} records one by one, together {len(source)}",
        )
    return parts, weights
