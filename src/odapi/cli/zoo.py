"""`odapi zoo`: pretrained models and checkpoints of the TF Object Detection API."""

import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from odapi.cli.app import App
from odapi.cli.backend import Backend, select_backend
from odapi.cli.options import Json, Set
from odapi.cli.output import next_step, print_json, quoted
from odapi.console import write_line

if TYPE_CHECKING:
    from rich.table import Table

    from odapi.zoo.catalog import Model

app = App(
    help="List and download pretrained models of the TF2 zoo, import checkpoints.",
)


@app.command("list")
def list_models(
    family: Annotated[
        str, typer.Option(help="Part of a family's name, such as efficientdet.")
    ] = "",
    task: Annotated[
        str, typer.Option(help="boxes, keypoints, masks or classification.")
    ] = "",
    resolution: Annotated[str, typer.Option(help="Such as 640 or 800x1333.")] = "",
    as_json: Json = False,
) -> None:
    """List the models of the TF2 zoo, with the published mAP and latency."""
    from odapi.zoo.catalog import select

    chosen = select(family, task, resolution)
    if as_json:
        print_json([m.as_dict() for m in chosen])
        return
    if not chosen:
        write_line("No model matches all filters; remove one", stderr=True)
        raise typer.Exit(1)
    from odapi.console import console

    console(stderr=False).print(_table(chosen))
    for model in chosen:
        if model.note and "classification" not in model.tasks:
            write_line(f"{model.name}: {model.note}")
    write_line(f"License: {chosen[0].license}")
    next_step(f"odapi zoo download {chosen[0].name}")


@app.command()
def download(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name, as in odapi zoo list.", show_default=False
        ),
    ],
    output: Annotated[
        pathlib.Path, typer.Option(help="Folder for archives and their content.")
    ] = pathlib.Path("zoo"),
    base_url: Annotated[
        str,
        typer.Option(
            envvar="ODAPI_ZOO_URL",
            help="URL of a mirror. Default: the server of the zoo.",
            show_default=False,
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Download and unpack a model; an interrupted download is resumed."""
    from odapi.progress import track_bytes
    from odapi.zoo.download import download as run

    with track_bytes() as progress:
        done = run(name, output, base_url, progress)
    if as_json:
        found = {"name": done.model.name, "folder": str(done.folder)}
        print_json(found | {"sha256": done.sha256, "verified": done.known})
        return
    if done.sha256:
        known = "verified" if done.known else "recorded for later downloads"
        write_line(f"{done.folder}, sha256 {done.sha256} ({known})")
    else:
        write_line(f"{done.folder} exists already")
    folder = quoted(done.folder)
    if "classification" in done.model.tasks:
        next_step(
            f"odapi train CONFIG --set train_config.fine_tune_checkpoint={folder}"
            " --set train_config.fine_tune_checkpoint_type=classification"
        )
    else:
        next_step(f"odapi zoo import {folder}")


@app.command("import")
def import_(
    checkpoint: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Unpacked zoo archive, training folder or export of the TF Object "
            "Detection API, or a prefix such as checkpoint/ckpt-0.",
            show_default=False,
        ),
    ],
    output: Annotated[
        pathlib.Path | None,
        typer.Option(help="New folder.  [default: runs/ and the name of the archive]"),
    ] = None,
    config: Annotated[
        pathlib.Path | None,
        typer.Option(help="pipeline.config, if the checkpoint has none beside it."),
    ] = None,
    label_map: Annotated[
        pathlib.Path | None,
        typer.Option(help="Label map (pbtxt), if the config does not point to it."),
    ] = None,
    keep_optimizer: Annotated[
        bool,
        typer.Option(
            "--keep-optimizer", help="Also momentum and the like: training can go on."
        ),
    ] = False,
    overrides: Set = None,
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Make a checkpoint of the original one of ours: eval, predict, export, train."""
    from odapi.zoo.checkpoint.reader import Checkpoint

    Checkpoint(checkpoint)  # A wrong path is told before a backend is loaded.
    from odapi.console import waiting

    select_backend(backend)
    from odapi.zoo.import_checkpoint import import_checkpoint

    with waiting("Building the model, then reading its weights"):
        done = import_checkpoint(
            checkpoint,
            output,
            config=config,
            label_map=label_map,
            overrides=overrides or (),
            keep_optimizer=keep_optimizer,
        )
    if as_json:
        found = {"folder": str(done.folder), "source": str(done.source)}
        print_json(found | {"step": done.step, "report": list(done.lines)})
        return
    for line in done.lines:
        write_line(line)
    folder = quoted(done.folder)
    steps = [
        f"odapi predict {folder} photos/ --output found",
        f"odapi eval {folder} --eval-data coco:annotations.json",
        f"odapi export {folder} exported",
    ]
    if keep_optimizer:
        steps.append(f"odapi train {folder} --model-dir {folder}")
    next_step(*steps)


@app.command("export-checkpoint")
def export_checkpoint(
    model: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="MODEL",
            help="Run folder, checkpoint, import, or folder of odapi export.",
            show_default=False,
        ),
    ],
    output: Annotated[
        pathlib.Path,
        typer.Argument(metavar="OUTPUT", help="New folder.", show_default=False),
    ],
    overrides: Set = None,
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Write a model as a TF2 checkpoint for the TF Object Detection API."""
    select_backend(backend)
    import odapi
    from odapi.console import waiting

    with waiting("Building the model, then reading its weights"):
        done = odapi.export_checkpoint(model, output, overrides or ())
    if as_json:
        print_json(vars(done) | {"report": done.lines()})
        return
    for line in done.lines():
        write_line(line)
    next_step(f"odapi zoo import {quoted(done.folder)}")


def _table(chosen: "tuple[Model, ...]") -> "Table":
    from rich import box
    from rich.table import Table

    from odapi.zoo.catalog import size_text

    title = "TF2 zoo: COCO mAP in percent, latency in ms per image"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("name", overflow="fold")
    table.add_column("mAP")
    for what in ("ms", "input"):
        table.add_column(what, justify="right", no_wrap=True)
    for model in chosen:
        ms = "" if model.speed_ms is None else f"{model.speed_ms:.0f}"
        table.add_row(model.name, _maps(model), ms, size_text(model))
    return table


def _maps(model: "Model") -> str:
    """Returns the mAPs of a model, or its tasks if none is published.

    A single number is of boxes.
    """
    figures = {
        "boxes": model.box_map,
        "masks": model.mask_map,
        "keypoints": model.keypoint_map,
    }
    shown = [
        f"{value:.1f}" if task == "boxes" else f"{task} {value:.1f}"
        for task, value in figures.items()
        if value is not None
    ]
    return ", ".join(shown or model.tasks)
