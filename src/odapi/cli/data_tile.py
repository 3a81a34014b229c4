"""`odapi data tile`: a dataset of tiles, for small objects."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from odapi.cli.data_problems import print_problems
from odapi.cli.open_spec import open_spec
from odapi.cli.options import Json
from odapi.cli.output import next_step, print_json, print_table, quoted, table
from odapi.console import write_line

if TYPE_CHECKING:
    from odapi.data.sources.tiled import TileCounts

_NAMES = {
    "images": "images",
    "unchanged": "of these not larger than a tile, unchanged",
    "objects": "objects of the images",
    "tiles": "tiles written",
    "empty": "of these without objects",
    "empty_left_out": "tiles without objects left out",
    "whole": "whole objects in tiles",
    "cut": "cut objects kept",
    "ignored": "cut objects ignored (crowd, weight 0)",
    "dropped": "cut objects dropped",
    "without_mask": "cut objects without a pixel of their mask, dropped",
    "lost": "objects in no tile",
}


def tile(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC",
            help="Dataset, such as coco:PATH or voc:PATH?split=train.",
            show_default=False,
        ),
    ],
    output: Annotated[
        pathlib.Path, typer.Option(help="New folder.", show_default=False)
    ],
    size: Annotated[int, typer.Option(min=1, help="Side of a tile, pixels.")] = 640,
    overlap: Annotated[
        float,
        typer.Option(help="Minimum share of the side that neighbors have in common."),
    ] = 0.2,
    min_visible: Annotated[
        float, typer.Option(help="Share of its box from which a cut object is kept.")
    ] = 0.3,
    cut: Annotated[
        str,
        typer.Option(
            help="Cut objects that are less visible: drop, keep, or ignore (crowd of "
            "weight 0: neither losses nor metrics count it)."
        ),
    ] = "drop",
    empty: Annotated[
        float, typer.Option(help="Share of the tiles without objects to keep.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of their choice.")] = 0,
    to: Annotated[
        str | None,
        typer.Option(
            help="Format, as of odapi data convert. Default: that of SPEC if it can be "
            "written, else coco."
        ),
    ] = None,
    image_format: Annotated[
        str,
        typer.Option(
            help="png (the same pixels) or jpeg (quality 97, full color resolution)."
        ),
    ] = "png",
    label_map: Annotated[
        pathlib.Path | None,
        typer.Option(help="Label map (pbtxt). Default: the classes of the dataset."),
    ] = None,
    shards: Annotated[int, typer.Option(min=1, help="Number of TFRecord files.")] = 1,
    lines: Annotated[
        str, typer.Option(help="Content of YOLO's txt files; see odapi data convert.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Cut images into overlapping tiles, with their objects, masks and keypoints."""
    from odapi.config.label_map import place_label_map
    from odapi.data.convert import FORMATS, Target, convert, new_dataset, spec_of
    from odapi.data.sources.tiled import TiledSource
    from odapi.data.tiling import TileRule
    from odapi.outputs.folder import check_folder
    from odapi.outputs.kinds import DATASET

    rule = TileRule(size, overlap, min_visible, cut, empty, seed)
    given = spec.partition(":")[0]
    kind = to or (given if given in FORMATS else "coco")
    path = output / "tiles.record" if kind == "tfrecord" else output
    target = Target(kind, path, shards=shards, lines=lines)
    check_folder(output, DATASET)
    source = open_spec(spec, label_map)
    tiled = TiledSource(source, rule, image_format)
    with new_dataset(output):
        written = convert(tiled, target)
        place_label_map(source.label_map, output)
    counts = tiled.counts
    planned = counts.whole + counts.cut + counts.ignored
    other = "object of another class"  # Of pets, which have one class per image.
    unwritten = sum(p.count for p in written.losses if p.kind == other)
    counts.without_mask = planned - written.objects - unwritten
    made = spec_of(target, written)
    if as_json:
        losses = {"losses": written.losses.as_dict()}
        print_json({"spec": made} | dataclasses.asdict(counts) | losses)
        return
    print_problems(source, {"": written}, kind)
    _print(counts)
    write_line(f"Tiles: {made}")
    steps = [f"odapi data inspect {quoted(made)}"]
    if counts.lost:
        steps.append("a larger --overlap, or --size, keeps more of the objects")
    next_step(*steps)


def _print(counts: "TileCounts") -> None:
    shown = table("", "number", title="Tiles")
    for name, text in _NAMES.items():
        shown.add_row(text, f"{getattr(counts, name)}")
    print_table(shown)
