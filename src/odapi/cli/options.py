"""Options that several subcommands share."""

from typing import Annotated

import typer

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Override a config field, such as train_config.batch_size=8. Repeatable.",
    ),
]
EvalData = Annotated[
    str | None,
    typer.Option(
        help="Dataset to evaluate on: coco:PATH, voc:PATH?split=val, yolo:PATH, "
        "csv:PATH or tfrecord:GLOB. Default: the config's eval_input_reader."
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document instead of tables."),
]
TrainData = Annotated[
    str | None,
    typer.Option(
        help="Dataset to train on, as for --eval-data. Default: the config's "
        "train_input_reader."
    ),
]
