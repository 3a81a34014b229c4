"""`odapi train`."""

import dataclasses
import pathlib
from typing import Annotated, Any

import typer

from odapi.cli.backend import Backend, select_backend
from odapi.cli.options import (
    Device,
    Devices,
    EvalData,
    Json,
    Set,
    Tracker,
    TrainData,
    select_device,
)
from odapi.cli.output import print_json
from odapi.console import write_line


def train(
    config: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG",
            help="A pipeline.config, or a folder that has one.",
            show_default=False,
        ),
    ] = None,
    model_dir: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="Folder of the run: checkpoints, metrics, event files. An existing "
            "run is resumed.",
            show_default=False,
        ),
    ] = None,
    train_data: TrainData = None,
    eval_data: EvalData = None,
    num_steps: Annotated[
        int | None, typer.Option(min=1, help="Sets train_config.num_steps.")
    ] = None,
    epochs: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Sets train_config.num_steps to so many passes over the training "
            "images; instead of --num-steps.",
        ),
    ] = None,
    batch_size: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto",
            help="Sets train_config.batch_size; auto: the largest that fits into "
            "memory, measured.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Sets options.seed.")] = None,
    max_hours: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="HOURS",
            help="Sets options.max_hours: training ends after so many hours.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Build everything, run one batch, print the plan, and write nothing.",
        ),
    ] = False,
    replay: Annotated[
        pathlib.Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Instead of training, repeat a step that diverged, MODEL_DIR/nan/"
            "step-..., and name the first tensor that is not finite.",
        ),
    ] = None,
    device: Device = None,
    devices: Devices = None,
    coordinator: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Address of process 0, if several processes train together. Default: "
            "what JAX_COORDINATOR_ADDRESS, TF_CONFIG or SLURM says.",
        ),
    ] = None,
    num_processes: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that train together; 1: this one alone."),
    ] = None,
    process_id: Annotated[
        int | None, typer.Option(min=0, help="Number of this process, from 0.")
    ] = None,
    overrides: Set = None,
    tracker: Tracker = None,
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Train a detector, or resume an interrupted training.

    Ctrl-C saves a checkpoint and ends; the same command resumes from it.
    """
    from odapi.runtime.distribution.environment import find_cluster

    cluster = find_cluster(coordinator, num_processes, process_id)
    is_chief = cluster is None or cluster.process_id == 0
    select_backend(backend, quiet=not is_chief)
    # Several processes connect before the backend starts.
    select_device(device, check=cluster is None)
    if replay is not None:
        _replay(replay, as_json)
        return
    if config is None or model_dir is None:
        missing = "CONFIG" if config is None else "--model-dir"
        raise typer.BadParameter("is missing", param_hint=missing)
    from odapi import train as run

    outcome: Any = run(
        config,
        model_dir,
        overrides or (),
        train_data=train_data,
        eval_data=eval_data,
        num_steps=num_steps,
        epochs=epochs,
        batch_size=_batch_size(batch_size),
        seed=seed,
        trackers=tracker or (),
        max_hours=max_hours,
        dry_run=dry_run,
        devices=devices,
        cluster=cluster,
    )
    if as_json and is_chief:
        found = outcome.as_dict() if dry_run else dataclasses.asdict(outcome)
        print_json({"model_dir": str(model_dir)} | found)


def _batch_size(text: str | None) -> int | str | None:
    if text is None or text == "auto":
        return text
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise typer.BadParameter(
        f"{text!r} is neither a number from 1 on nor auto", param_hint="--batch-size"
    )


def _replay(folder: pathlib.Path, as_json: bool) -> None:
    from odapi.runtime import backend

    backend.load()
    from odapi.training.divergence.replay import replay

    result = replay(folder)
    if as_json:
        print_json(result.as_dict())
        return
    for line in result.lines():
        write_line(line)
