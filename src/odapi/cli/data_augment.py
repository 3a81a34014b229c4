"""`odapi data augment`: images before and after each augmentation."""

import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odapi.cli.open_spec import is_config, open_spec, refuse_overrides
from odapi.cli.options import Json, Set
from odapi.cli.output import next_step, print_json, quoted
from odapi.console import write_line
from odapi.errors import ConfigError

if TYPE_CHECKING:
    from odapi.data.sources.base import BaseSource

PAGE = "index.html"


def augment(
    target: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG|SPEC",
            help="A pipeline.config, whose augmentations are shown on its training "
            "data, or a dataset such as coco:PATH, with --all or --step.",
            show_default=False,
        ),
    ],
    gallery: Annotated[
        pathlib.Path,
        typer.Option(
            help=f"Folder for one image per augmentation and {PAGE}.",
            show_default=False,
        ),
    ],
    steps: Annotated[
        list[str] | None,
        typer.Option(
            "--step",
            metavar="NAME",
            help="Show this augmentation, such as random_mosaic; with the fields of "
            "the config if it is there. Repeatable.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Show all augmentations that odapi has.")
    ] = False,
    images: Annotated[int, typer.Option(min=1, help="Images per augmentation.")] = 3,
    draws: Annotated[int, typer.Option(min=1, help="Random draws per image.")] = 4,
    label_map: Annotated[
        pathlib.Path | None,
        typer.Option(help="Label map (pbtxt). Default: the classes of the dataset."),
    ] = None,
    overrides: Set = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of images and draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Draw images of a dataset before and after each augmentation."""
    from odapi.build.augmentation_gallery import (
        config_steps,
        draw_sheet,
        gallery_page,
        named_steps,
    )
    from odapi.data.inspect import typical_images
    from odapi.draw.file import save_image
    from odapi.files import write_text
    from odapi.outputs.folder import OutputFolder
    from odapi.outputs.kinds import GALLERY

    if steps and everything:
        raise ConfigError(
            "--step", "names some augmentations, --all means all: give one"
        )
    folder = OutputFolder(gallery, GALLERY)
    config, source = _opened(target, label_map, overrides)
    if steps or everything:
        shown = named_steps(config, steps or ())
    elif config is None:
        raise ConfigError(target, "has no augmentations", hint="add --all or --step")
    else:
        shown = config_steps(config)
    if not shown:
        hint = "add some, or show all of the language with --all"
        raise ConfigError(target, "has no augmentations", hint=hint)
    chosen = typical_images(source, images, seed)
    path, sheets = folder.begin(), []
    for number, one in enumerate(shown, 1):
        sheet = draw_sheet(source, chosen, one, draws, seed)
        sheets.append((save_image(path / f"{number:02d}_{one.name}.jpg", sheet), one))
    pairs = [(file.name, one) for file, one in sheets]
    page = write_text(path / PAGE, gallery_page(f"Augmentations of {target}", pairs))
    folder.finish([page, *(file for file, _ in sheets)])
    if as_json:
        files = {one.name: str(file) for file, one in sheets}
        print_json({"page": str(page), "sheets": files})
        return
    for file, one in sheets:
        write_line(f"{file}: {one.title}")
    write_line(f"Wrote {page}")
    next_step(_after(target, config is not None))


def _opened(
    target: str, label_map: pathlib.Path | None, overrides: list[str] | None
) -> "tuple[Any, BaseSource]":
    """Returns the config, or None for a dataset, and the training data."""
    from odapi.build.source import build_train_source
    from odapi.config.label_map import load_label_map
    from odapi.config.load import load_config

    if not is_config(target):
        refuse_overrides(overrides, target)
        return None, open_spec(target, label_map)
    config = load_config(target, overrides or ())
    classes = load_label_map(label_map) if label_map else None
    return config, build_train_source(config, classes)


def _after(target: str, is_training: bool) -> str:
    if is_training:
        return f"odapi train {quoted(target)} --model-dir DIR"
    return f"odapi train CONFIG --train-data {quoted(target)} --model-dir DIR"
