"""Number of steps of a training whose length is given in epochs."""

import math

from odapi.build.source import build_train_source
from odapi.config.load import Config
from odapi.errors import ConfigError
from odapi.labels import LabelMap
from odapi.training.given_data import GivenData
from odapi.training.messages import print_lines
from odapi.wording import counted


def steps_of(
    epochs: float,
    num_steps: int | None,
    config: Config,
    data: GivenData,
    known: LabelMap | None = None,
) -> int:
    """Returns the number of steps of so many epochs, and prints how it comes about.

    Args:
        epochs: Passes over the training images; a fraction is allowed.
        num_steps: The steps that were asked for beside it; None: none.
        config: The config, with its batch size.
        data: The arguments of `odapi.train`.
        known: Classes of the model that is trained further, if any.

    Raises:
        ConfigError: The number is not above 0, or both lengths are given.
        DataError: The training data cannot be read.
    """
    if num_steps is not None:
        raise ConfigError("epochs", "is given beside num_steps; give one of the two")
    if not (math.isfinite(epochs) and epochs > 0):
        raise ConfigError("epochs", f"must be a number above 0, got {epochs:g}")
    source = data.train_source(config, known)
    images = len(build_train_source(config) if source is None else source)
    batch = max(1, config.train_config.batch_size)
    steps = max(1, math.ceil(round(epochs * images / batch, 6)))
    unit = "epoch" if epochs == 1 else "epochs"
    print_lines(
        f"{epochs:g} {unit} of {counted(images, 'image')} in batches of {batch}: "
        f"train_config.num_steps is {steps}"
    )
    return steps
