"""Options that several subcommands share."""

import pathlib
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
Device = Annotated[
    str | None,
    typer.Option(
        metavar="DEVICE",
        help="cpu, gpu (all GPUs) or gpu:N (one of them). Default: all GPUs, if any.",
    ),
]
Devices = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Devices that share each batch; in each process, if there are several. "
        "Default: 1, or all in several processes.",
    ),
]
LabelMapFile = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--label-map",
        metavar="FILE",
        help="Label map (pbtxt) that names the classes of the model. Default: the "
        "model's own; COCO's for a SavedModel of the zoo.",
    ),
]
MinScore = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Leave out objects below it.")
]
ClassNames = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Keep only these classes: names or ids. Repeatable, or separated by "
        "commas.",
    ),
]
MaxDetections = Annotated[
    int | None,
    typer.Option(min=1, help="Keep only the best N objects per image."),
]
ModelBatch = Annotated[int, typer.Option(min=1, help="Images per call of the model.")]
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

Tracker = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Experiment tracker, with the settings in options.trackers.NAME: clearml, "
        "mlflow or wandb. Repeatable.",
    ),
]


def select_device(name: str | None, check: bool = True) -> None:
    """Takes over the option --device; call it after the backend is chosen.

    Args:
        name: The value of the option.
        check: Whether to start the backend and look for the GPU.

    Raises:
        ConfigError: The name has another form, or the backend finds no GPU.
    """
    from odapi.runtime.device_choice import require_gpu, use_device

    if name is None:
        return
    use_device(name)
    if name != "cpu" and check:
        require_gpu(name)
