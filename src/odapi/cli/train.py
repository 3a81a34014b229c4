"""`odapi train`."""

import pathlib
from typing import Annotated

import typer

from odapi.cli.options import EvalData, Set, TrainData


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
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Sets train_config.batch_size.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Sets options.seed.")] = None,
    overrides: Set = None,
) -> None:
    """Train a detector, or resume an interrupted training.

    Ctrl-C saves a checkpoint and ends; the same command resumes from it.
    """
    from odapi import train as run

    run(
        config,
        model_dir,
        overrides or (),
        train_data=train_data,
        eval_data=eval_data,
        num_steps=num_steps,
        batch_size=batch_size,
        seed=seed,
    )
