"""Builds the parts of an input pipeline that do not depend on the dataset."""

import dataclasses
from typing import Any

from odapi.build.resizer import model_resizer
from odapi.build.train_augmentations import build_train_augmentations
from odapi.config.load import options
from odapi.config.rules.registry import Part, require
from odapi.data.image.resize import Identity, Resizer
from odapi.data.loader.buckets import Buckets, buckets_of
from odapi.data.loader.pipeline import Augmentation, MergeEqualBoxes


@dataclasses.dataclass(frozen=True)
class Loading:
    """Settings of an input pipeline.

    Args:
        resizer: Sets the size of images.
        augmentations: Functions `(sample, rng) -> sample`.
        batch_size: Images per batch.
        buckets: Sizes that images are padded to; None: that of the batch.
        threads: Threads that decode and augment; 0: one per core.
        prefetch: Batches prepared ahead.
        cache: Bytes of decoded samples to keep.
        processes: Processes that make batches instead of threads.
    """

    resizer: Resizer
    augmentations: tuple[Augmentation, ...]
    batch_size: int
    buckets: Buckets | None
    threads: int
    prefetch: int
    cache: int
    processes: int


def build_loading(
    config: Any, training: bool, batch_size: int | None = None
) -> Loading:
    """Returns the settings of an input pipeline.

    Args:
        config: A TrainEvalPipelineConfig.
        training: True for training data, which are augmented.
        batch_size: None uses that of `train_config` or `eval_config`.

    Raises:
        ConfigError: An augmentation, the resizer or an option is not allowed.
    """
    require(config, Part.TRAIN_DATA if training else Part.EVALUATION)
    resizer = model_resizer(config)
    if not training and config.eval_config.force_no_resize:
        resizer = Identity()
    own = config.train_config if training else config.eval_config
    batch_size = batch_size or own.batch_size
    loading = options(config).data_loading
    # A single image keeps its size in an evaluation: padding changes its edge.
    one_by_one = not training and batch_size == 1
    return Loading(
        resizer=resizer,
        augmentations=_augmentations(config, batch_size) if training else (),
        batch_size=batch_size,
        buckets=None if one_by_one else buckets_of(resizer, loading.size_buckets),
        threads=loading.threads,
        prefetch=loading.prefetch,
        cache=loading.cache_mb << 20,
        processes=loading.processes if training else 0,
    )


def _augmentations(config: Any, batch_size: int) -> tuple[Augmentation, ...]:
    train = config.train_config
    steps = build_train_augmentations(config, batch_size)
    if train.merge_multiple_label_boxes:
        model = getattr(config.model, config.model.WhichOneof("model"))
        # With confidences as targets, each class of a merged object has its own.
        confidences = config.model.ssd.use_confidences_as_targets
        steps += (MergeEqualBoxes(model.num_classes, confidences),)
    return steps
