"""Adds the detections of a model to tf.Examples, as the original's infer_detections.

Source: the original's inference/infer_detections.py. It runs a frozen graph of
TensorFlow 1 image by image; this one takes any model that `odapi predict` takes.
"""

import pathlib
from collections.abc import Sequence

from odapi.console import console
from odapi.data.read_ahead import read_ahead
from odapi.data.sources.tfrecord import TFRecordSource, open_tfrecord
from odapi.data.tfrecord.records import write_record
from odapi.errors import CheckpointError, DataError
from odapi.files import Pathlike, atomic_open
from odapi.inference.image_files import ReadImage
from odapi.inference.images import Images
from odapi.inference.predict import configure
from odapi.inference.predictor import channels_of
from odapi.inference.selection import Selection
from odapi.inference.stream import PredictionStream
from odapi.outputs.file import check_new_file
from odapi.progress import track
from odapi.tools import records
from odapi.tools.detection_records import add_detections, drop_pixels, serialized
from odapi.tools.prediction_job import Load, load_predictor

_THREADS = 4


def infer_detections(
    inputs: Sequence[str],
    output: Pathlike,
    model: str,
    discard_image_pixels: bool = False,
    batch_size: int = 8,
    load: Load = load_predictor,
) -> dict[str, int]:
    """Writes tf.Examples with `image/detection/{bbox/*,score,label}`, in their order.

    All detections of the model are written, whatever their score.

    Args:
        inputs: TFRecord files or globs.
        output: The TFRecord file to write.
        model: A run folder, a checkpoint folder, an exported folder or a SavedModel.
        discard_image_pixels: Whether to leave out `image/encoded`.
        batch_size: Images per call of the model.
        load: Loads the model.

    Returns:
        Numbers of records that were `read`, `written` and `skipped` (damaged images),
        and of `detections`.

    Raises:
        CheckpointError: There is no such model.
        DataError: A file cannot be read, or no image of them.
        OutputError: The output exists already, or cannot be written.
    """
    if not inputs:
        raise DataError("input_tfrecord_paths", "names no file")
    check_new_file(output)
    _refuse_frozen_graph(model)
    source = open_tfrecord(list(inputs), load_masks=False)
    predictor = load(model, (), None)
    source.num_channels = channels_of(predictor)
    run, batch_size = configure(predictor, batch_size)
    rows = read_ahead(_Reader(source), range(len(source)), _THREADS)
    stream = PredictionStream(
        Images(rows, len(source), {}),
        run,
        predictor.label_map,
        Selection(0.0),
        batch_size,
    )
    detections = 0
    with atomic_open(output) as file:
        for found in track(stream, "predicting", len(source)):
            example = records.parse(source.record(int(str(found.path))))
            if discard_image_pixels:
                drop_pixels(example)
            add_detections(example, found)
            write_record(file, serialized(example))
            detections += len(found)
    for key, reason in stream.skipped.items():
        console().print(f"Skipped {source.image_ids[int(key)]}: {reason}")
    return {
        "read": len(source),
        "written": stream.count,
        "skipped": len(stream.skipped),
        "detections": detections,
    }


class _Reader:
    def __init__(self, source: TFRecordSource):
        self._source = source.with_keys(())

    def __call__(self, index: int) -> ReadImage:
        key = pathlib.Path(str(index))
        try:
            return ReadImage(key, self._source[index]["image"])
        except DataError as error:
            return ReadImage(key, None, error.problem)


def _refuse_frozen_graph(model: str) -> None:
    path = pathlib.Path(model)
    if path.suffix != ".pb" or path.name == "saved_model.pb":
        return
    saved = path.parent / "saved_model"
    raise CheckpointError(
        model,
        "is a frozen graph of TensorFlow 1, which is not read",
        hint=f"take the SavedModel beside it: {saved}"
        if saved.is_dir()
        else "take the SavedModel or the checkpoint of the same model",
    )
