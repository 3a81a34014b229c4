"""Gallery of augmentations: images of the user before and after each of them."""

import dataclasses
import html
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from google.protobuf import text_format

from odapi.build.augment import STEPS_PATH, build_step
from odapi.build.augmentation_examples import example_of
from odapi.build.resizer import model_resizer
from odapi.build.train_augmentations import OPTIONS_PATH, build_augmentation
from odapi.config.load import options
from odapi.config.protos import preprocessor_pb2
from odapi.data.augment.chain import augment
from odapi.data.augment.partners import Partners
from odapi.data.image.lazy import rendered
from odapi.data.image.resize import Resizer
from odapi.data.sample import Sample
from odapi.data.sources.base import BaseSource
from odapi.draw.colors import INK, WHITE
from odapi.draw.image import as_rgb, draw_objects, resized
from odapi.draw.mosaic import mosaic
from odapi.draw.text import fit_text, put_text
from odapi.errors import ConfigError, DataError, did_you_mean
from odapi.wording import counted

# Random draws until one changes the image: steps may have a low probability.
_ATTEMPTS = 50
_CELL = 320  # Pixels of the longer side of an image.
_TITLE, _MARGIN = 22, 8


@dataclasses.dataclass(frozen=True)
class Shown:
    """An augmentation, or several, as shown in a gallery.

    Args:
        name: Its name in the config language.
        fields: Its fields in the config, as text.
        augmentations: Functions `(sample, rng) -> sample`, applied in order.
        resizer: Resizes the result, as for training; None: it keeps its size.
    """

    name: str
    fields: str
    augmentations: tuple[Any, ...]
    resizer: Resizer | None = None

    @property
    def title(self) -> str:
        """Name and fields in one line."""
        return f"{self.name} {{ {self.fields} }}" if self.fields else self.name


def config_steps(config: Any) -> list[Shown]:
    """Returns the augmentations of a config, in order, and then all of them together.

    Raises:
        ConfigError: An augmentation or the resizer cannot be built.
    """
    own = options(config).augmentations
    shown = [_shown(f"{OPTIONS_PATH}[{i}]", one) for i, one in enumerate(own)]
    steps = config.train_config.data_augmentation_options
    shown += [_shown(f"{STEPS_PATH}[{i}]", one) for i, one in enumerate(steps)]
    together = tuple(step for one in shown for step in one.augmentations)
    if together and config.HasField("model"):
        fields = "all steps in order, and the resizer"
        shown.append(Shown("all_steps", fields, together, model_resizer(config)))
    return shown


def named_steps(config: Any | None, names: Sequence[str]) -> list[Shown]:
    """Returns augmentations by their names; without names, all of the language.

    Args:
        config: Those in it have its fields; None: all are examples.
        names: Such as "random_mosaic".

    Raises:
        ConfigError: A name is unknown, or an augmentation is not supported.
    """
    known = {one.name: one for one in (config_steps(config) if config else ())}
    examples = example_of()
    for name in names:
        if name not in known and name not in examples:
            hint = did_you_mean(name, examples) or f"known: {', '.join(examples)}"
            raise ConfigError("step", f"unknown augmentation {name!r}", hint=hint)
    return [
        known[name] if name in known else _shown(name, examples[name])
        for name in names or examples
    ]


def _shown(path: str, message: Any) -> Shown:
    is_step = isinstance(message, preprocessor_pb2.PreprocessingStep)
    augmentation = (build_step if is_step else build_augmentation)(message, path)
    if not is_step and message.HasField("step"):
        message, is_step = message.step, True
    kind = message.WhichOneof("preprocessing_step" if is_step else "augmentation")
    fields = text_format.MessageToString(getattr(message, kind), as_one_line=True)
    return Shown(kind, fields.strip(), (augmentation,))


def draw_sheet(
    source: BaseSource,
    indices: Iterable[int],
    shown: Shown,
    draws: int = 4,
    seed: int = 0,
) -> np.ndarray:
    """Returns rows of images `[h, w, 3]` uint8, RGB: before, and after random draws.

    Args:
        source: The dataset.
        indices: Indices of the images; images that cannot be used are skipped.
        shown: The augmentation.
        draws: Number of random draws per image.
        seed: Seed of the draws.

    Raises:
        DataError: None of the images can be used.
    """
    images, captions = [], []
    for index in indices:
        try:
            sample = source[index]
        except DataError:
            continue
        images.append(_drawn(sample, source))
        captions.append(f"{sample['image_id']}: {_count(sample)}")
        for draw in range(draws):
            made, changed = _changed(source, sample, shown, (seed, index, draw))
            images.append(_drawn(made, source))
            captions.append(f"draw {draw + 1}: {_summary(made, changed)}")
    if not images:
        raise DataError(source.name, "none of the images to show can be used")
    return _titled(mosaic(images, captions, columns=1 + draws, cell=_CELL), shown.title)


def _changed(
    source: BaseSource, sample: Sample, shown: Shown, seed: Sequence[int]
) -> tuple[Sample, bool]:
    """Returns the augmented sample, and whether it was augmented at all."""
    partners = Partners(
        source.__getitem__, lambda rng: int(rng.integers(len(source))), sample
    )
    if shown.resizer:  # The result is resized, as in training.
        partners = dataclasses.replace(partners, size=shown.resizer.true_size)
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([*seed, attempt])
        made = augment(sample, rng, shown.augmentations, partners=partners)
        # Steps return the sample itself where they do nothing.
        if made is not sample:
            break
    changed = made is not sample
    return (shown.resizer(made) if shown.resizer else rendered(made)), changed


def _drawn(sample: Sample, source: BaseSource) -> np.ndarray:
    image = sample["image"]
    if image.dtype != np.uint8 and (image.min() < 0 or image.max() > 255):
        low, high = float(image.min()), float(image.max())
        image = (image - low) * (255 / max(high - low, 1e-6))
    height, width = image.shape[:2]
    scale = _CELL / max(height, width)
    size = max(round(height * scale), 1), max(round(width * scale), 1)
    # Drawn at its final size, so that names stay legible.
    return draw_objects(resized(as_rgb(image), size), sample, source.label_map)


def _summary(sample: Sample, changed: bool) -> str:
    image = sample["image"]
    height, width = image.shape[:2]
    parts = [f"{_count(sample)}, {height} x {width}"]
    if image.dtype != np.uint8:
        parts.append(f"values {image.min():.3g} to {image.max():.3g}")
    return ", ".join(parts if changed else [*parts, "unchanged"])


def _count(sample: Sample) -> str:
    return counted(len(sample["boxes"]), "object")


def _titled(sheet: np.ndarray, title: str) -> np.ndarray:
    """Returns a sheet with a line of text above it."""
    head = np.empty((_TITLE + 2 * _MARGIN, sheet.shape[1], 3), np.uint8)
    head[:] = WHITE
    text = fit_text(title, _TITLE, sheet.shape[1] - 2 * _MARGIN)
    put_text(head, text, _MARGIN, _TITLE + _MARGIN - 3, _TITLE, INK)
    return np.concatenate([head, sheet])


def gallery_page(title: str, sheets: Iterable[tuple[str, Shown]]) -> str:
    """Returns an HTML page that shows sheets.

    Args:
        title: Of the page.
        sheets: File names, relative to the page, and their augmentations.
    """
    escape: Callable[[str], str] = html.escape
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title>",
        "<style>body { font-family: sans-serif; margin: 2em } "
        "img { max-width: 100% } pre { white-space: pre-wrap }</style>",
        f"</head><body><h1>{escape(title)}</h1>",
    ]
    for file, shown in sheets:
        parts += [
            f"<h2>{escape(shown.name)}</h2>",
            f"<pre>{escape(shown.title)}</pre>",
            f'<img src="{escape(file)}" alt="{escape(shown.name)}">',
        ]
    return "\n".join([*parts, "</body></html>", ""])
