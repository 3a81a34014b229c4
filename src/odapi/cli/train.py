"""`odapi train`."""

import dataclasses
import pathlib
from typing import Annotated, Any

import typer

from odapi.cli.backend import Backend, select_backend
from odapi.cli.options import (
    Device,
    EvalData,
    Json,
    Set,
    Tracker,
    TrainData,
    select_device,
)
from odapi.cli.output import print_json


def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG", help="A pipeline.config, or a folder that has one."
        ),
    ],
    model_dir: Annotated[
        pathlib.Path,
        typer.Option(
            help="Folder of the run: checkpoints, metrics, event files. An existing "
            "run is resumed."
        ),
    ],
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
    device: Device = None,
    overrides: Set = None,
    tracker: Tracker = None,
    backend: Backend = None,
    as_json: Json = False,
) -> None:
    """Train a detector, or resume an interrupted training.

    Ctrl-C saves a checkpoint and ends; the same command resumes from it.
    """
    select_backend(backend)
    select_device(device)
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
    )
    if as_json:
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
