"""The pipelines of Context R-CNN's data, from files of records to files of records."""

import os
from collections.abc import Callable, Sequence

from odapi.errors import DataError, unknown_choice
from odapi.files import read_json
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
    """Makes tf.Examples of a data set of COCO-CameraTraps.

    Args:
        metadata: Its JSON file.
        images: Folder of the image files.
        output: Prefix of the files of records.
        images_per_shard: Of a file, about.
        beam_arguments: For Beam, such as `["--runner=FlinkRunner"]`.

    Returns:
        What was read, written and skipped.

    Raises:
        DataError: The metadata cannot be used.
        MissingPackageError: Apache Beam is not installed.
    """
    if images_per_shard < 1:
        raise DataError(
            "num_images_per_shard", f"must be 1 or more: {images_per_shard}"
        )
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
        output: Prefix of the files that are written.
        model: A SavedModel, a folder with one, or the folder of a training.
        min_score: Least score of a box.
        shards: Files; 0: as many as Beam likes.
        beam_arguments: For Beam.
        load: Loads the model.
    """
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
    """Adds embeddings of what a detector finds to tf.Examples.

    Args:
        records, output, model, shards, beam_arguments, load: As for
            `generate_detections`.
        top, bottom: How many of the best, of the worst detections.
        kind: "final_box_features" or "rpn_box_features".
    """
    if kind not in FEATURES:
        raise unknown_choice("embedding_type", kind, FEATURES, DataError)
    if min(top, bottom) < 0 or not top + bottom:
        raise DataError("top_k_embedding_count", f"{top} best and {bottom} worst: none")
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
        key: Which images share a bank.
        context: How banks are made, and what is written.
    """
    work = Records(beam_arguments)
    pairs = work.apply(work.read(records), "key", Step(key))
    step = Step(context, many=True)
    made = work.apply(work.group(pairs), "add context", step)
    work.write(made, output, shards)
    return work.run()


def read_ids(path: str) -> frozenset[str] | None:
    """Returns the image ids of a JSON file with a list; None for "All".

    Raises:
        DataError: It cannot be read, or is no list.
    """
    if path == "All":
        return None
    content = read_json(os.path.expanduser(path))
    if not isinstance(content, list):
        raise DataError(path, "must be a JSON list of image ids")
    return frozenset(str(i) for i in content)
