"""Images of a dataset, to compare on and to measure ranges of activations."""

from typing import Any

import numpy as np

from odapi.config.load import Config, load_config
from odapi.errors import ConfigError, DataError, OdapiError

CALIBRATION_IMAGES = 100


def spread_images(source: Any, number: int) -> list[np.ndarray]:
    """Returns images that are spread evenly over a dataset, uint8 `[h, w, c]`.

    An image that cannot be read is replaced by the next one.

    Raises:
        DataError: No image can be read.
    """
    images: list[np.ndarray] = []
    places = np.linspace(0, len(source), min(number, len(source)), endpoint=False)
    last: DataError | None = None
    taken: set[int] = set()
    for place in places.astype(int).tolist():
        for i in range(place, len(source)):
            if i in taken:
                continue
            taken.add(i)
            try:
                images.append(source[i]["image"])
                break
            except DataError as error:
                last = error
    if not images:
        raise last or DataError("the dataset", "has no images")
    return images


def calibration_images(config: Config, data: str | None, number: int) -> Any:
    """Returns images to measure ranges of activations on.

    Args:
        config: Of the model.
        data: A dataset; None: the training data of the config.
        number: Number of images.

    Raises:
        ConfigError: None is given, and the training data cannot be read.
        DataError: `data` cannot be read.
    """
    from odapi.build.source import build_train_source

    if data:
        config = load_config(config, [f"options.train_data={data}"])
        return spread_images(build_train_source(config), number)
    try:
        return spread_images(build_train_source(config), number)
    except OdapiError as error:
        raise ConfigError(
            "precision",
            "int8 needs images, on which ranges of activations are measured, and the "
            f"training data of the config cannot be read: {error}",
            hint="--calibration-data DATASET names images; labels are not needed",
        ) from error
