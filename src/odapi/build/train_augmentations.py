"""Builds the augmentations of a training, those of odapi's own options included."""

from collections.abc import Iterable
from typing import Any

from odapi.build.augment import STEPS_PATH, build_augmentations, build_step
from odapi.build.augment_pixels import OWN_PIXEL_AUGMENTATIONS
from odapi.build.augment_warps import OWN_WARPS
from odapi.build.oneof import build_oneof
from odapi.config.load import options
from odapi.config.view import view
from odapi.data.augment.augmentation import Augmentation
from odapi.data.augment.chain import Closing, innermost
from odapi.data.augment.copy_paste import CopyPaste
from odapi.data.augment.mixup import MixUp
from odapi.data.augment.mosaic import Mosaic

OPTIONS_PATH = "options.augmentations"


def build_train_augmentations(
    config: Any, batch_size: int | None = None
) -> tuple[Augmentation, ...]:
    """Returns the augmentations of `options`, then those of `train_config`.

    Args:
        config: A TrainEvalPipelineConfig.
        batch_size: Images per batch, by which positions of samples belong to steps;
            None uses that of `train_config`.

    Raises:
        ConfigError: An augmentation is empty, unknown, or has a value that is not
            allowed.
    """
    config = view(config)
    train = config.train_config
    built = []
    for index, one in enumerate(options(config).augmentations):
        path = f"{OPTIONS_PATH}[{index}]"
        augmentation = build_augmentation(one, path)
        if one.close_after:
            steps = train.num_steps - one.close_after
            end = steps * (batch_size or train.batch_size)
            augmentation = Closing(augmentation, end)
        built.append(augmentation)
    return (*built, *build_augmentations(train.data_augmentation_options))


def build_augmentation(message: Any, path: str) -> Augmentation:
    """Returns the augmentation of an `Augmentation` message, without its end.

    Args:
        message: The message.
        path: Its path in the pipeline config, for errors.

    Raises:
        ConfigError: It is empty, unknown, or has a value that is not allowed.
    """
    return build_oneof(message, "augmentation", AUGMENTATIONS, path)


def by_path(
    config: Any, augmentations: Iterable[Augmentation]
) -> dict[str, Augmentation]:
    """Returns the augmentations of the config by their paths in it.

    Args:
        config: A TrainEvalPipelineConfig.
        augmentations: As built; those of `options` are returned without their end.
    """
    own = options(config).augmentations
    steps = config.train_config.data_augmentation_options
    paths = [
        f"{OPTIONS_PATH}[{index}]" + (".step" if one.HasField("step") else "")
        for index, one in enumerate(own)
    ]
    paths += [f"{STEPS_PATH}[{index}]" for index in range(len(steps))]
    # Others, such as those of the user, follow.
    return dict(zip(paths, map(innermost, augmentations), strict=False))


def _mosaic(config: Any, path: str) -> Mosaic:
    return Mosaic(
        config.probability, config.min_scale, config.max_scale, config.overlap_thresh
    )


def _mixup(config: Any, path: str) -> MixUp:
    return MixUp(config.probability, config.alpha)


def _copy_paste(config: Any, path: str) -> CopyPaste:
    return CopyPaste(config.probability, config.max_objects, config.overlap_thresh)


AUGMENTATIONS = {
    "step": build_step,
    "random_mosaic": _mosaic,
    "random_mixup": _mixup,
    "random_copy_paste": _copy_paste,
    **OWN_PIXEL_AUGMENTATIONS,
    **OWN_WARPS,
}
