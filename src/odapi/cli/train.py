"""`odapi train`."""

import dataclasses
import pathlib
from typing import Annotated

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
        int | None, typer.Option(min=1, help="Sets train_config.batch_size.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Sets options.seed.")] = None,
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

    outcome = run(
        config,
        model_dir,
        overrides or (),
        train_data=train_data,
        eval_data=eval_data,
        num_steps=num_steps,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        trackers=tracker or (),
    )
    if as_json:
        print_json({"model_dir": str(model_dir)} | dataclasses.asdict(outcome))
