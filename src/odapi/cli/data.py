"""`odapi data`: inspect, split and convert datasets."""

import contextlib
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from odapi.cli.app import App
from odapi.cli.data_anchors import anchors
from odapi.cli.data_augment import augment
from odapi.cli.data_inspect import inspect
from odapi.cli.data_problems import print_problems
from odapi.cli.data_tile import tile
from odapi.cli.open_spec import open_spec
from odapi.cli.options import Json
from odapi.cli.output import next_step, print_json, print_table, quoted, table
from odapi.console import write_line
from odapi.wording import counted

if TYPE_CHECKING:
    from odapi.data.sources.base import BaseSource

app = App(
    help="Inspect, split and convert datasets.",
)

_FORMATS = (
    "ava, coco, csv, cvat, kitti, labelme, lvis, openimages, pets, tfrecord, voc or "
    "yolo"
)

Spec = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="coco:PATH, voc:PATH?split=train, yolo:PATH, csv:PATH, tfrecord:GLOB or "
        "another KIND:PATH of docs/data.md.",
        show_default=False,
    ),
]
LabelMapPath = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--label-map", help="Label map (pbtxt). Default: the classes of the dataset."
    ),
]
Images = Annotated[
    str,
    typer.Option(help="Image files: copy, link (hard links) or refer (paths only)."),
]
Shards = Annotated[int, typer.Option(min=1, help="Number of TFRecord files.")]
Workers = Annotated[
    int,
    typer.Option(
        min=0,
        help="Maximum number of processes that make TFRecords with masks; the files "
        "are the same for any number. 0: one per CPU core.",
    ),
]
Lines = Annotated[
    str,
    typer.Option(
        help="Content of YOLO's txt files: boxes, polygons or keypoints. Default: "
        "keypoints if the dataset has any, else polygons if it has masks."
    ),
]

app.command()(inspect)


@app.command()
def split(
    spec: Spec,
    output: Annotated[
        pathlib.Path, typer.Option(help="New folder.", show_default=False)
    ],
    shares: Annotated[
        str, typer.Option(help="Percent of train, val and test images.")
    ] = "80/10/10",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split.")] = 0,
    to: Annotated[
        str | None,
        typer.Option(
            help=f"{_FORMATS}. Default: tfrecord for TFRecord files, else coco."
        ),
    ] = None,
    label_map: LabelMapPath = None,
    images: Images = "",
    shards: Shards = 1,
    lines: Lines = "",
    as_json: Json = False,
) -> None:
    """Split a dataset into train, val and test, stratified by class.

    Images with the same bytes stay in the same part.
    """
    from odapi.config.label_map import place_label_map
    from odapi.data.convert import Target, new_dataset, spec_of, write_split
    from odapi.data.sources.tfrecord import TFRecordSource
    from odapi.data.split import parse_shares, split_source
    from odapi.outputs.folder import check_folder
    from odapi.outputs.kinds import DATASET

    wanted = parse_shares(shares)
    check_folder(output, DATASET)
    source = open_spec(spec, label_map)
    _print_findings(source)
    kind = to or ("tfrecord" if isinstance(source, TFRecordSource) else "coco")
    are_files = source.image_path(0) is not None
    how = images or ("refer" if kind == "coco" and are_files else "copy")
    target = Target(kind, output, how, shards, lines=lines)
    parts = split_source(source, wanted, seed)
    with new_dataset(output):
        written = write_split(source, parts, target)
        place_label_map(source.label_map, output)
    ready = {
        name: spec_of(Target(kind, output, how, shards, name), part)
        for name, part in written.items()
    }
    if as_json:
        print_json(
            {
                name: {
                    "spec": ready[name],
                    "images": part.count,
                    "objects": part.objects,
                }
                for name, part in written.items()
            }
        )
        return
    _print_parts(source, parts)
    print_problems(source, written, kind)
    for name, made in ready.items():
        write_line(f"{name}: {made}")
    train, held_out = list(ready.values())[:2]
    next_step(
        f"odapi train CONFIG --train-data {quoted(train)} "
        f"--eval-data {quoted(held_out)} --model-dir DIR"
    )


@app.command()
def convert(
    spec: Spec,
    to: Annotated[str, typer.Option(help=f"{_FORMATS}.", show_default=False)],
    output: Annotated[
        pathlib.Path,
        typer.Option(
            help="New folder; for coco and lvis also a .json file, for csv a .csv "
            "file, for tfrecord a file. A label map beside the file is kept, with its "
            "ids.",
            show_default=False,
        ),
    ],
    label_map: LabelMapPath = None,
    images: Images = "copy",
    shards: Shards = 1,
    workers: Workers = 0,
    lines: Lines = "",
    as_json: Json = False,
) -> None:
    """Write a dataset in another format; images are not re-encoded."""
    from odapi.config.label_map import LABEL_MAP, check_label_map, place_label_map
    from odapi.data.convert import Target, new_dataset, spec_of
    from odapi.data.convert import convert as run

    target = Target(to, output, images, shards, lines=lines, workers=workers)
    target.check()
    beside = target.folder / LABEL_MAP
    if label_map is None and beside.is_file():
        label_map = beside  # Of other records in the folder: its ids are kept.
    source = open_spec(spec, label_map)
    _print_findings(source)
    check_label_map(source.label_map, beside)
    with contextlib.nullcontext() if target.is_file else new_dataset(output):
        written = run(source, target)
        path = place_label_map(source.label_map, target.folder)
    made = spec_of(target, written)
    if as_json:
        print_json(
            {"spec": made, "images": written.count, "objects": written.objects}
            | {"label_map": str(path), "losses": written.losses.as_dict()}
        )
        return
    print_problems(source, {"": written}, to)
    counts = f"{counted(written.count, 'image')}, {counted(written.objects, 'object')}"
    write_line(f"{counts}: {made}")
    write_line(f"Label map: {path}")
    next_step(f"odapi data inspect {quoted(made)}")


def _print_findings(source: "BaseSource") -> None:
    """Prints mistakes of the whole dataset on standard error."""
    from odapi.console import console
    from odapi.data.survey import check_source

    for finding in check_source(source):
        console().print(f"warning: {source.name}: {finding}")


def _print_parts(source: "BaseSource", parts: dict[str, list[int]]) -> None:
    """Prints the number of images per class and part."""
    from odapi.data.split import class_counts

    counts = {name: class_counts(source, indices) for name, indices in parts.items()}
    shown = table("class", *parts, title="Images per class")
    shown.add_row("all images", *(f"{len(i)}" for i in parts.values()))
    for category in source.label_map:
        row = [counts[name].get(category.index, 0) for name in parts]
        if any(row):
            shown.add_row(category.label, *(f"{n}" for n in row))
    print_table(shown)


@app.command()
def keypoints(
    spec: Spec,
    output: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder for label_map.pbtxt and keypoints.config."),
    ] = None,
    label_map: LabelMapPath = None,
    as_json: Json = False,
) -> None:
    """Print the keypoint section of a config for a dataset.

    It holds names and classes, standard deviations of heatmap peaks and of OKS, the
    permutation for horizontal flips, and the edges of the skeleton.
    """
    from odapi.build.keypoint_config import keypoint_config_text
    from odapi.config.label_map import LABEL_MAP, save_label_map
    from odapi.files import write_text
    from odapi.outputs.folder import OutputFolder
    from odapi.outputs.kinds import KEYPOINTS

    written = OutputFolder(output, KEYPOINTS) if output else None
    source = open_spec(spec, label_map)
    text = keypoint_config_text(source)
    result = {"text": text}
    if written is not None:
        path = written.begin() / LABEL_MAP
        save_label_map(source.label_map, path)
        made = write_text(written.path / "keypoints.config", text)
        written.finish([path, made])
        result |= {"label_map": str(path), "config": str(made)}
    if as_json:
        print_json(result)
    elif written is None:
        write_line(text.removesuffix("\n"))
        next_step(f"odapi data keypoints {quoted(spec)} --output DIR writes files")
    else:
        write_line(f"Label map: {path}")
        write_line(f"Config:    {made}")
        next_step(
            "copy it into your pipeline.config, and set "
            f"model.center_net.keypoint_label_map_path to {path}"
        )


app.command()(anchors)
app.command()(augment)
app.command()(tile)
