"""`odapi tools`: datasets that outgrow one machine, on Apache Beam."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from odapi.cli import tools_predict
from odapi.cli.app import App
from odapi.cli.options import Json
from odapi.cli.output import next_step, print_json, quoted
from odapi.console import write_line
from odapi.wording import counted

app = App(
    help="Prediction on millions of images, conversion of datasets and the data "
    "pipelines of Context R-CNN, on Apache Beam: pip install 'odapi[beam]'.",
    epilog="Options are also accepted with underscores, as in the original. Options "
    "for Beam follow after --, such as: -- --runner=FlinkRunner",
)
_BEAM: Any = {"allow_extra_args": True}
app.command("predict", context_settings=_BEAM)(tools_predict.predict)
app.command("infer-detections")(tools_predict.infer)


def _option(name: str, text: str, **kwargs: Any) -> Any:
    """Returns an option that is also accepted with underscores, as in the original."""
    names = dict.fromkeys((f"--{name}", f"--{name.replace('-', '_')}"))
    return typer.Option(*names, help=text, **kwargs)


def _switch(name: str, text: str) -> Any:
    old = name.replace("-", "_")
    names = dict.fromkeys((f"--{name}/--no-{name}", f"--{old}/--no_{old}"))
    return typer.Option(*names, help=text)


Shards = Annotated[
    int, _option("num-shards", "Number of output files; 0: chosen by the runner.")
]
_IN = "Glob of TFRecord files of tf.Example."
_OUT = "Prefix of the output TFRecord files."
_MODEL = "SavedModel, a folder that contains one, or a run folder."


@app.command("convert", context_settings=_BEAM)
def convert(
    context: typer.Context,
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC",
            help="A dataset, such as coco:PATH or voc:PATH?split=train.",
            show_default=False,
        ),
    ],
    output: Annotated[str, _option("output", _OUT)],
    shards: Annotated[
        int, _option("num-shards", "Number of files; 0: one per 1000 images.", min=0)
    ] = 0,
    label_map: Annotated[
        str,
        _option("label-map", "Label map (pbtxt). Default: the classes of the dataset."),
    ] = "",
    as_json: Json = False,
) -> None:
    """Convert a dataset of any format to TFRecord files; each worker writes shards."""
    from odapi.tools.dataset_shards import convert_dataset

    _tell(
        convert_dataset(spec, output, shards, label_map, context.args),
        f"odapi data inspect tfrecord:{_glob(output)}",
        as_json,
    )


@app.command("create-cococameratraps", context_settings=_BEAM)
def create(
    context: typer.Context,
    metadata: Annotated[
        str, _option("input-annotations-file", "JSON file of COCO-CameraTraps.")
    ],
    images: Annotated[str, _option("image-directory", "Folder of the image files.")],
    output: Annotated[str, _option("output-tfrecord-prefix", _OUT)],
    per_shard: Annotated[
        int,
        _option("num-images-per-shard", "Images per file.", min=1),
    ] = 200,
    as_json: Json = False,
) -> None:
    """Create tf.Examples with location, date and sequence of camera trap images."""
    from odapi.tools.tool_run import create_camera_traps

    _tell(
        create_camera_traps(metadata, images, output, per_shard, context.args),
        f"odapi tools generate-detections --detection-input-tfrecord "
        f"{_glob(output)} ...",
        as_json,
    )


@app.command("generate-detections", context_settings=_BEAM)
def detections(
    context: typer.Context,
    records: Annotated[str, _option("detection-input-tfrecord", _IN)],
    output: Annotated[str, _option("detection-output-tfrecord", _OUT)],
    model: Annotated[str, _option("detection-model-dir", _MODEL)],
    min_score: Annotated[
        float,
        _option("confidence-threshold", "Minimum score of a box.", min=0.0, max=1.0),
    ] = 0.9,
    shards: Shards = 0,
    as_json: Json = False,
) -> None:
    """Add detected boxes to images that only have a class label."""
    from odapi.tools.tool_run import generate_detections

    _tell(
        generate_detections(records, output, model, min_score, shards, context.args),
        f"odapi tools generate-embeddings --embedding-input-tfrecord "
        f"{_glob(output)} ...",
        as_json,
    )


@app.command("generate-embeddings", context_settings=_BEAM)
def embeddings(
    context: typer.Context,
    records: Annotated[str, _option("embedding-input-tfrecord", _IN)],
    output: Annotated[str, _option("embedding-output-tfrecord", _OUT)],
    model: Annotated[str, _option("embedding-model-dir", _MODEL)],
    top: Annotated[
        int,
        _option("top-k-embedding-count", "Highest-scoring objects.", min=0),
    ] = 1,
    bottom: Annotated[
        int,
        _option("bottom-k-embedding-count", "Lowest-scoring objects.", min=0),
    ] = 0,
    kind: Annotated[
        str,
        _option(
            "embedding-type",
            "final_box_features, or rpn_box_features: crops of the RPN feature maps.",
        ),
    ] = "final_box_features",
    shards: Shards = 0,
    as_json: Json = False,
) -> None:
    """Add box features of a detector to images, for memory banks."""
    from odapi.tools.tool_run import generate_embeddings

    _tell(
        generate_embeddings(
            records, output, model, top, bottom, kind, shards, context.args
        ),
        f"odapi tools add-context --input-tfrecord {_glob(output)} ...",
        as_json,
    )


@app.command("add-context", context_settings=_BEAM)
def add_context(
    context: typer.Context,
    records: Annotated[str, _option("input-tfrecord", _IN)],
    output: Annotated[str, _option("output-tfrecord", _OUT)],
    sequence_key: Annotated[
        str,
        _option("sequence-key", "Feature that groups images, or image/seq_id."),
    ] = "image/location",
    time_horizon: Annotated[
        str,
        _option(
            "time-horizon",
            "Also group by time: year, month, week, day, hour or minute.",
        ),
    ] = "",
    length: Annotated[
        int,
        _option(
            "context-feature-length",
            "Length of feature rows.",
            min=1,
        ),
    ] = 2057,
    every: Annotated[
        int,
        _option(
            "subsample-context-features-rate",
            "Keep 1 of N images in a bank; 0: all.",
            min=0,
        ),
    ] = 0,
    reduce: Annotated[bool, _switch("reduce-image-size", "Shrink images.")] = True,
    longest: Annotated[
        int, _option("max-image-dimension", "Longer side of shrunk images.", min=1)
    ] = 1024,
    add: Annotated[bool, _switch("add-context-features", "Add the banks.")] = True,
    sort_by_id: Annotated[
        bool,
        _switch("sorted-image-ids", "Sort the images of a location by id."),
    ] = True,
    keep: Annotated[
        str, _option("image-ids-to-keep", "JSON list of image ids to write, or All.")
    ] = "All",
    keep_ids: Annotated[
        bool,
        _switch("keep-context-features-image-id-list", "Write image ids of rows."),
    ] = False,
    positives: Annotated[
        bool,
        _switch("keep-only-positives", "Keep only images above the score threshold."),
    ] = False,
    min_score: Annotated[
        float, _option("context-features-score-threshold", "Score threshold.")
    ] = 0.7,
    with_objects: Annotated[
        bool, _switch("keep-only-positives-gt", "Keep only images with groundtruth.")
    ] = False,
    largest: Annotated[
        int,
        _option(
            "max-num-elements-in-context-features",
            "Maximum rows per bank; larger groups are split.",
            min=1,
        ),
    ] = 2000,
    output_type: Annotated[
        str, _option("output-type", "tf_example or tf_sequence_example.")
    ] = "tf_example",
    clip: Annotated[
        int,
        _option("max-clip-length", "Frames per sequence; 0: no limit.", min=0),
    ] = 0,
    shards: Shards = 0,
    as_json: Json = False,
) -> None:
    """Add the memory bank of its camera and time to each image."""
    from odapi.tools.memory_bank import AddContext, GroupKey
    from odapi.tools.tool_run import add_context, read_ids

    horizon = "" if time_horizon == "None" else time_horizon
    key = GroupKey(sequence_key, horizon, longest if reduce else 0)
    banks = AddContext(
        feature=sequence_key,
        add=add,
        sort_by_id=sort_by_id,
        keep=read_ids(keep),
        keep_ids=keep_ids,
        every=every,
        min_score=min_score if positives else None,
        with_objects=with_objects,
        max_images=largest,
        output=output_type,
        clip=clip,
        length=length,
    )
    spec = f"tfrecord:{output}-*"
    if output_type == "tf_sequence_example":
        spec += "?type=sequence"
    _tell(
        add_context(records, output, key, banks, shards, context.args),
        f"odapi data inspect {quoted(spec)}",
        as_json,
    )


def _tell(numbers: Mapping[str, int], following: str, as_json: bool) -> None:
    """Prints the counts and the next command."""
    read, written = numbers.get("read", 0), numbers.get("written", 0)
    if as_json:
        print_json(dict(numbers))
        raise typer.Exit(1 if read and not written else 0)
    write_line(f"Read {counted(read, 'record')}, wrote {written}")
    for name, number in numbers.items():
        if name not in ("read", "written"):
            write_line(f"{name} ({number})")
    if read and not written:
        raise typer.Exit(1)
    next_step(following)


def _glob(prefix: str) -> str:
    return quoted(f"{prefix}-*")
