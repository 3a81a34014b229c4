"""Pipelines for the data of Context R-CNN, from record files to record files."""

import os
from collections.abc import Callable, Sequence

from odapi.errors import DataError, unknown_choice
from odapi.files import read_json
from odapi.outputs.file import check_new_shards
from odapi.tools.beam import Records, Step
from odapi.tools.camera_traps import ImageExample, read_metadata
from odapi.tools.detections import AddBoxes
from odapi.tools.embeddings import Embed
from odapi.tools.finder import FEATURES, FINAL, Find, load_finder
from odapi.tools.memory_bank import AddContext, GroupKey

Numbers = dict[str, int]
Load = Callable[[str, str], Find]


def create_camera_traps(
    metadata: str,
    images: str,
    output: str,
    images_per_shard: int = 200,
    beam_arguments: Sequence[str] = (),
) -> Numbers:
    """Converts a COCO-CameraTraps dataset to tf.Examples.

    Args:
        metadata: JSON file.
        images: Folder of the image files.
        output: Prefix of the record files.
        images_per_shard: Approximate number of images per file.
        beam_arguments: Beam options, for example `["--runner=FlinkRunner"]`.

    Returns:
        Numbers of elements that were read, written and skipped.

    Raises:
        DataError: The metadata are invalid.
        MissingPackageError: Apache Beam is not installed.
    """
    if images_per_shard < 1:
        raise DataError(
            "num_images_per_shard", f"must be 1 or more: {images_per_shard}"
        )
    check_new_shards(output)
    traps = read_metadata(metadata)
    work = Records(beam_arguments)
    entries = [(i, traps.annotations.get(i["id"], [])) for i in traps.images]
    step = Step(ImageExample(os.path.expanduser(images), traps.categories))
    made = work.apply(work.elements(entries), "make examples", step)
    work.write(made, output, max(-(-len(entries) // images_per_shard), 1))
    return work.run()


def generate_detections(
    records: str,
    output: str,
    model: str,
    min_score: float = 0.9,
    shards: int = 0,
    beam_arguments: Sequence[str] = (),
    load: Load = load_finder,
) -> Numbers:
    """Adds boxes to tf.Examples of which only the class is known.

    Args:
        records: Glob of files.
        output: Prefix of the written files.
        model: A SavedModel, a folder with one, or a run folder.
        min_score: Minimum score of a box.
        shards: Number of files; 0: chosen by the runner.
        beam_arguments: Beam options.
        load: Loads the model.
    """
    check_new_shards(output)
    work = Records(beam_arguments)
    step = Step(AddBoxes(model, min_score, load))
    made = work.apply(work.read(records), "add boxes", step)
    work.write(made, output, shards)
    return work.run()


def generate_embeddings(
    records: str,
    output: str,
    model: str,
    top: int = 1,
    bottom: int = 0,
    kind: str = FINAL,
    shards: int = 0,
    beam_arguments: Sequence[str] = (),
    load: Load = load_finder,
) -> Numbers:
    """Adds embeddings of detections to tf.Examples.

    Args:
        records, output, model, shards, beam_arguments, load: As for
            `generate_detections`.
        top, bottom: Number of best and of worst detections.
        kind: "final_box_features" or "rpn_box_features".
    """
    if kind not in FEATURES:
        raise unknown_choice("embedding_type", kind, FEATURES, DataError)
    if min(top, bottom) < 0 or not top + bottom:
        raise DataError("top_k_embedding_count", f"{top} best and {bottom} worst: none")
    check_new_shards(output)
    work = Records(beam_arguments)
    step = Step(Embed(model, top, bottom, kind, load))
    made = work.apply(work.read(records), "embed", step)
    work.write(made, output, shards)
    return work.run()


def add_context(
    records: str,
    output: str,
    key: GroupKey,
    context: AddContext,
    shards: int = 0,
    beam_arguments: Sequence[str] = (),
) -> Numbers:
    """Adds memory banks to tf.Examples with embeddings.

    Args:
        records, output, shards, beam_arguments: As for `generate_detections`.
        key: Groups the images that share a bank.
        context: Builds the banks.
    """
    check_new_shards(output)
    work = Records(beam_arguments)
    pairs = work.apply(work.read(records), "key", Step(key))
    step = Step(context, many=True)
    made = work.apply(work.group(pairs), "add context", step)
    work.write(made, output, shards)
    return work.run()


def read_ids(path: str) -> frozenset[str] | None:
    """Returns the image ids of a JSON file with a list; None for "All".

    Raises:
        DataError: The file cannot be read, or does not contain a list.
    """
    if path == "All":
        return None
    content = read_json(os.path.expanduser(path))
    if not isinstance(content, list):
        raise DataError(path, "must be a JSON list of image ids")
    return frozenset(str(i) for i in content)
