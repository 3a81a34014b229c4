"""`odapi data inspect`: statistics and mistakes of datasets."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odapi.cli.open_spec import is_config, open_spec, refuse_overrides
from odapi.cli.options import Json, Set
from odapi.cli.output import next_step, print_json, quoted
from odapi.console import write_line

if TYPE_CHECKING:
    from odapi.data.inspect import Report
    from odapi.data.sources.base import BaseSource


@dataclasses.dataclass
class Inspected:
    """A dataset to inspect.

    Args:
        name: "train", "eval", or "" for a single dataset.
        source: The dataset.
        augmentations: Of the training, to draw.
        scale: Resolution of the training, or None.
        report: The statistics, once they are there.
    """

    name: str
    source: "BaseSource"
    augmentations: tuple[Any, ...] = ()
    scale: Any = None
    report: "Report | None" = None


def inspect(
    target: Annotated[
        str,
        typer.Argument(
            metavar="SPEC|CONFIG",
            help="A dataset such as coco:PATH, or a pipeline.config whose training "
            "and evaluation datasets are inspected.",
            show_default=False,
        ),
    ],
    output: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder for report.json and images of what was found."),
    ] = None,
    eval_data: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Evaluation dataset: it is inspected, too, and compared with the "
            "first one for equal and nearly equal images.",
        ),
    ] = None,
    label_map: Annotated[
        pathlib.Path | None,
        typer.Option(help="Label map (pbtxt). Default: the classes of the dataset."),
    ] = None,
    overrides: Set = None,
    images: Annotated[int, typer.Option(min=1, help="Images in the mosaic.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the mosaic.")] = 0,
    decode: Annotated[
        bool, typer.Option(help="Decode every image to find all corrupt ones.")
    ] = True,
    strict: Annotated[
        bool, typer.Option(help="Exit code 1 if the dataset has any problem.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Count images, objects and classes; list problems; draw some images."""
    from odapi.data.inspect import compare_images, inspect_source
    from odapi.outputs.folder import OutputFolder
    from odapi.outputs.kinds import INSPECTION

    written = OutputFolder(output, INSPECTION) if output else None
    files: list[pathlib.Path] = []
    wrong, reports = 0, {}
    train: Inspected | None = None
    for part in _to_inspect(target, eval_data, label_map, overrides):
        report = inspect_source(part.source, decode, scale=part.scale)
        if train is not None and train.report is not None:
            compare_images((train.source, train.report), (part.source, report))
        part.report = report
        wrong += len(part.source.problems) + len(report.findings)
        reports[part.name or "data"] = report.as_dict()
        if not as_json:
            _print_report(report, part.source)
        if written is not None:
            folder = (written.path if files else written.begin()) / part.name
            made = _write(folder, part, train, images, seed)
            files += made
            if not as_json:
                write_line(f"Saved {', '.join(str(file) for file in made)}")
        train = part
    if written is not None:
        written.finish(files)
    if as_json:
        print_json(reports)
    else:
        next_step(*_next_steps(target, output))
    if strict and wrong:
        raise typer.Exit(1)


def _write(
    folder: pathlib.Path,
    part: Inspected,
    train: Inspected | None,
    count: int,
    seed: int,
) -> list[pathlib.Path]:
    """Writes the report of a dataset and the images of what was found."""
    from odapi.build.inspection_images import draw_outliers, draw_pairs, draw_tiny
    from odapi.build.preview import draw_preview
    from odapi.data.inspect import typical_images
    from odapi.draw.file import save_image
    from odapi.files import write_json

    report, source = part.report, part.source
    if report is None:
        return []
    chosen = typical_images(source, count, seed)
    mosaic = draw_preview(source, chosen, part.augmentations, seed)
    files = [
        write_json(folder / "report.json", report.as_dict()),
        save_image(folder / "mosaic.png", mosaic),
    ]
    if report.outliers:
        drawn = draw_outliers(report.outliers, source)
        files.append(save_image(folder / "outliers.png", drawn))
    if report.tiny is not None and report.tiny.smallest:
        drawn = draw_tiny(report.tiny.smallest, source)
        files.append(save_image(folder / "tiny_objects.png", drawn))
    if report.near_duplicates and train is not None:
        drawn = draw_pairs(report.near_duplicates, source, train.source)
        files.append(save_image(folder / "near_duplicates.png", drawn))
    return files


def _to_inspect(
    target: str,
    eval_data: str | None,
    label_map: pathlib.Path | None,
    overrides: list[str] | None,
) -> list[Inspected]:
    """Returns the datasets, the training data first."""
    if not is_config(target):
        refuse_overrides(overrides, target)
        if eval_data is None:
            return [Inspected("", open_spec(target, label_map))]
        datasets = (("train", target), ("eval", eval_data))
        return [Inspected(name, open_spec(spec, label_map)) for name, spec in datasets]
    from odapi.build.resizer import model_resizer
    from odapi.build.source import build_eval_source, build_train_source
    from odapi.build.train_augmentations import build_train_augmentations
    from odapi.config.label_map import load_label_map
    from odapi.config.load import load_config, options
    from odapi.config.strides import finest_stride
    from odapi.data.tiny_objects import Scale

    changes = [f"options.eval_data={eval_data}"] if eval_data else []
    config = load_config(target, [*(overrides or ()), *changes])
    classes = load_label_map(label_map) if label_map else None
    steps = build_train_augmentations(config)
    scale = None
    if config.model.WhichOneof("model"):
        scale = Scale(model_resizer(config), finest_stride(config))
    train = build_train_source(config, classes)
    found = [Inspected("train", train, steps, scale)]
    if config.eval_input_reader or options(config).eval_data:
        held_out = build_eval_source(config, label_map=classes)
        found.append(Inspected("eval", held_out, scale=scale))
    return found


def _print_report(report: Any, source: "BaseSource") -> None:
    from odapi.console import console
    from odapi.data.inspect_tables import tables

    output = console(stderr=False)
    for finding in report.findings:
        level = "error" if finding.is_error else "warning"
        output.print(f"{level}: {report.name}: {finding}")
    for shown in tables(report):
        output.print(shown)
    if source.problems:
        output.print(source.problems.table())
    elif not report.findings:
        output.print("No problems found.")


def _next_steps(target: str, output: pathlib.Path | None) -> list[str]:
    again = quoted(target)
    if output is None:
        return [f"odapi data inspect {again} --output DIR draws images"]
    if is_config(target):
        return [f"odapi train {again} --model-dir DIR"]
    return [
        f"odapi train CONFIG --train-data {again} --model-dir DIR",
        f"odapi data split {again} --output DIR",
    ]
