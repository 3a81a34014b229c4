"""`odapi benchmark`."""

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odapi.cli.options import Json
from odapi.cli.output import next_step, print_json, print_table, quoted, table
from odapi.wording import counted

if TYPE_CHECKING:
    import numpy as np

    from odapi.outputs.folder import OutputFolder
    from odapi.timing.benchmark import Benchmark

_MAX_IMAGES = 16  # That models are timed on; more would only need memory.


def benchmark(
    models: Annotated[
        list[pathlib.Path],
        typer.Argument(
            metavar="MODELS...",
            help="Run folders, checkpoints, exports, and exported files.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET",
            help="Dataset, such as coco:val.json: the models are timed on its images, "
            "and their mAP is measured.",
        ),
    ] = None,
    images: Annotated[
        pathlib.Path | None,
        typer.Option(
            metavar="PATH", help="Image or folder to time the models on, without mAP."
        ),
    ] = None,
    max_images: Annotated[
        int, typer.Option(min=0, help="Images that mAP is measured on; 0: all.")
    ] = 0,
    threads: Annotated[
        list[int] | None,
        typer.Option(min=1, help="CPU cores. Repeatable.  [default: 1 and all]"),
    ] = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Images per call. Repeatable.  [default: 1]"),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Turns of each model; they alternate.")
    ] = 5,
    seconds: Annotated[float, typer.Option(min=0.01, help="Duration of a turn.")] = 1.0,
    output: Annotated[
        pathlib.Path | None,
        typer.Option(help="Folder for benchmark.json and benchmark.png."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Time models side by side: latency, memory, size and mAP.

    A call takes a decoded image and returns detections: resizing and NMS count.
    """
    from odapi.console import write_line
    from odapi.errors import ConfigError
    from odapi.outputs.folder import OutputFolder
    from odapi.outputs.kinds import BENCHMARK
    from odapi.runtime.cpu import processor
    from odapi.timing.benchmark import benchmark as run

    if (data is None) == (images is None):
        raise ConfigError(
            "--data",
            "or --images names the images to time the models on; give one of them",
        )
    folder = OutputFolder(output, BENCHMARK) if output else None
    result = run(
        models,
        _images(data, images),
        data=data,
        max_images=max_images,
        threads=threads or (),
        batch_sizes=batch_size or (1,),
        rounds=rounds,
        seconds=seconds,
        progress=lambda text: write_line(text, stderr=True) if text else None,
    )
    content = {"processor": processor()} | dataclasses.asdict(result)
    if folder is not None:
        _write(folder, content, result)
    if as_json:
        print_json(content)
        return
    _print(result, processor())
    if output is None:
        next_step(f"add --output {quoted('benchmark')} for JSON and a plot")
    else:
        next_step(f"look at {quoted(output / 'benchmark.png')}")


def _images(data: str | None, folder: pathlib.Path | None) -> "list[np.ndarray]":
    """Returns the images that models are timed on."""
    import itertools

    from odapi.build.source import build_eval_source
    from odapi.config.load import Config, load_config
    from odapi.exporters.sample_images import spread_images
    from odapi.inference.image_files import find_images, read_images

    if data is not None:
        config = load_config(Config(), [f"options.eval_data={data}"])
        return spread_images(build_eval_source(config), _MAX_IMAGES)
    rows = read_images(find_images([str(folder)]))
    read = (row.image for row in rows if row.image is not None)
    return list(itertools.islice(read, _MAX_IMAGES))


def _write(
    folder: "OutputFolder", content: dict[str, Any], result: "Benchmark"
) -> None:
    from odapi.draw.file import save_image
    from odapi.files import write_json
    from odapi.timing.latency_plot import plot_latency

    path = folder.begin()
    write_json(path / "benchmark.json", content)
    save_image(path / "benchmark.png", plot_latency(result))
    folder.finish()


def _print(result: "Benchmark", processor: str) -> None:
    from odapi.console import console
    from odapi.progress import duration

    columns = ["model", "threads", "batch", "mean", "p50", "p99", "images/s", "spread"]
    measured = any(row.map is not None for row in result.models)
    shown = table(*columns, "MB", "load", "first", "peak MB", *(["mAP"] * measured))
    facts = {row.model: row for row in result.models}
    named: set[str] = set()
    for row in sorted(result.timings, key=lambda r: list(facts).index(r.model)):
        of_model = facts[row.model]
        cells = [
            row.model,
            str(row.threads),
            str(row.batch_size),
            *(f"{ms:.1f} ms" for ms in (row.mean_ms, row.p50_ms, row.p99_ms)),
            f"{row.images_per_second:.1f}",
            f"{row.spread:.0%}",
        ]
        if row.model not in named:
            named.add(row.model)
            cells += [
                f"{of_model.megabytes:.1f}",
                duration(of_model.load_seconds),
                duration(of_model.first_seconds),
                f"{of_model.peak_mb:.0f}",
            ]
            cells += [f"{of_model.map:.3f}"] if of_model.map is not None else []
        shown.add_row(*cells)
    print_table(shown)
    height, width = result.image_size
    console().print(
        f"{processor}. {counted(result.images, 'image')} (the first {height} x "
        f"{width}), {counted(result.rounds, 'round')} of {result.seconds:g} s per "
        "model, in turns; spread: of the medians of rounds."
    )
