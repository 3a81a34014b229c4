"""`odapi data anchors`: recall of the anchors of a config, and better ones."""

import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from odapi.cli.options import Json, Set
from odapi.cli.output import next_step, print_json, print_table, quoted, table
from odapi.console import write_line
from odapi.wording import counted

if TYPE_CHECKING:
    from odapi.build.anchor_report import AnchorReport, RecallRow

OVERRIDES = "anchors.txt"


def anchors(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="A pipeline.config, or a folder that has one.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Dataset, such as coco:PATH. Default: the training data of the "
            "config.",
        ),
    ] = None,
    output: Annotated[
        pathlib.Path | None,
        typer.Option(help=f"Folder for anchors.json, anchors.png and {OVERRIDES}."),
    ] = None,
    overrides: Set = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of k-means.")] = 0,
    as_json: Json = False,
) -> None:
    """Compute the recall of a config's anchors on a dataset; propose better ones.

    Recall is the share of objects that an anchor overlaps with at least the IoU that
    the matcher of the config asks for, after resizing.
    """
    from odapi.outputs.folder import OutputFolder
    from odapi.outputs.kinds import ANCHORS
    from odapi.runtime import backend

    written = OutputFolder(output, ANCHORS) if output else None
    backend.load()
    from odapi.build.anchor_report import report_anchors
    from odapi.build.anchor_setup import anchor_setup
    from odapi.build.source import build_train_source
    from odapi.config.load import load_config
    from odapi.draw.file import save_image
    from odapi.files import write_json, write_text

    loaded = load_config(config, overrides or ())
    setup = anchor_setup(loaded)
    if data is not None:
        loaded = load_config(loaded, [f"options.train_data={data}"])
    report = report_anchors(setup, build_train_source(loaded), seed)
    files = {}
    if written is not None:
        folder = written.begin()
        made = [
            write_json(folder / "anchors.json", report.as_dict()),
            save_image(folder / "anchors.png", report.plot()),
        ]
        if report.proposal.overrides:
            text = "".join(f"{line}\n" for line in report.proposal.overrides)
            made.append(write_text(folder / OVERRIDES, text))
        written.finish(made)
        files = {path.name: str(path) for path in made}
    if as_json:
        print_json(report.as_dict() | {"files": files})
        return
    _print(report)
    for path in files.values():
        write_line(f"Wrote {path}")
    _next_step(report, config, files.get(OVERRIDES))


def _print(report: "AnchorReport") -> None:
    total, threshold = report.all_objects, report.setup.threshold
    better = bool(report.proposal.overrides)
    print_table(_table("size in pixels", [*report.by_size, total], better))
    print_table(_table("width : height", report.by_aspect, better))
    missed = total.objects - round((total.recall or 0) * total.objects)
    objects = counted(total.objects, "object")
    ending = ""
    if missed and report.setup.matcher.force:
        ending = "; they are matched with their best anchor only"
    elif missed:
        ending = "; they are never matched"
    write_line(
        f"{missed} of {objects} have no anchor with an IoU of {threshold:g} or "
        f"more{ending}"
    )
    means = [float(ious.mean()) for ious in (report.ious, report.proposed_ious)]
    if not better:
        write_line(f"No better anchors were found: mean best IoU {means[0]:.3f}")
        return
    write_line(f"Mean best IoU: {means[0]:.3f}, proposed {means[1]:.3f}")
    write_line("Proposed anchors:")
    for line in report.proposal.overrides:
        write_line(f"  --set {quoted(line)}")


def _table(name: str, rows: "list[RecallRow]", better: bool):
    columns = [name, "objects", "recall", *["proposed"] * better]
    shown = table(*columns, title=f"Recall of the anchors by {name}")
    for row in rows:
        shares = (row.recall, row.proposed)[: 1 + better]
        cells = ["-" if share is None else f"{share:.3f}" for share in shares]
        shown.add_row(row.name, f"{row.objects}", *cells)
    return shown


def _next_step(report: "AnchorReport", config: str, patch: str | None) -> None:
    if not report.proposal.overrides:
        next_step(f"odapi train {quoted(config)} --model-dir DIR")
    elif patch is None:
        next_step(f"odapi data anchors {quoted(config)} --output DIR writes the values")
    else:
        next_step(
            f"odapi config merge {quoted(config)} {quoted(patch)} --output NEW.config"
        )
