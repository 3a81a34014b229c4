"""`odapi eval`."""

import pathlib
from typing import Annotated

import typer

from odapi.cli.options import EvalData, Set


def evaluate(
    checkpoint: Annotated[
        pathlib.Path,
        typer.Argument(
            help="Folder of a training (its best checkpoint), of one checkpoint, or "
            "of an export.",
            show_default=False,
        ),
    ],
    eval_data: EvalData = None,
    overrides: Set = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Images at once; else the config's number."),
    ] = None,
    output: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="Folder for metrics.json, detections.json (COCO results), tables "
            "and pictures."
        ),
    ] = None,
    losses: Annotated[bool, typer.Option(help="Also the losses.")] = False,
    max_images: Annotated[
        int, typer.Option(min=0, help="Stop after so many; 0: all.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of tables.")
    ] = False,
) -> None:
    """Measure a trained detector: COCO metrics, tables, pictures."""
    from odapi import evaluate as run

    result = run(
        checkpoint,
        eval_data,
        overrides or (),
        batch_size=batch_size,
        output=output,
        with_losses=losses,
        max_images=max_images,
    )
    if as_json:
        import json

        from odapi.evaluation.metric_files import as_json as to_json

        print(json.dumps(to_json(result), indent=2, ensure_ascii=False))
        return
    from odapi.evaluation.result_report import show
    from odapi.progress import console

    show(result, console(stderr=False))
    _next_step(checkpoint, output)


def _next_step(checkpoint: pathlib.Path, output: pathlib.Path | None) -> None:
    from odapi.progress import console

    shown = console()
    if output is None:
        shown.print(f"\nPictures: odapi eval {checkpoint} --output evaluation")
    else:
        shown.print(f"\nTables and pictures are in {output}")
    shown.print(f"Next: odapi predict {checkpoint} IMAGES --output found")
    shown.print(f"      odapi export {checkpoint} exported")
