"""Prediction on millions of images by Apache Beam, in shards.

A shard is complete when its report exists; an interrupted run is resumed by the same
call, which computes the other shards only.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from odapi.config.label_map import LABEL_MAP, save_label_map
from odapi.console import console
from odapi.errors import DataError, OutputError
from odapi.files import atomic_open, remove_unfinished
from odapi.inference.selection import Selection, class_ids
from odapi.outputs.folder import OutputFolder
from odapi.outputs.kinds import SHARDED_PREDICTIONS
from odapi.progress import track
from odapi.tools.beam import Records
from odapi.tools.image_list import ImageList, Part
from odapi.tools.predict_shard import REPORTS, PredictShard, finished_report
from odapi.tools.prediction_job import (
    Job,
    Load,
    PredictionOptions,
    backend_environment,
    check_run,
    load_predictor,
    model_digest,
    settings_of,
    write_run,
)
from odapi.tools.worker_model import loaded_model
from odapi.wording import counted

_IMAGES_PER_SHARD = 1000
_POLL = 0.5  # Seconds between looks at the finished shards.
_SKIPPED_FILE = "skipped.jsonl"
_DEFAULTS = PredictionOptions()


@dataclasses.dataclass(frozen=True)
class PredictionRun:
    """Result of a large prediction.

    Args:
        images: Number of images that were predicted on, those of earlier runs included.
        objects: Number of objects in them.
        skipped: Reason by image id and name, of each image that cannot be read.
        best_score: Highest score of the selected classes.
        shards: Number of shards.
        computed: Number of shards that this run computed.
        folder: The output folder.
    """

    images: int
    objects: int
    skipped: list[tuple[int | str, str, str]]
    best_score: float
    shards: int
    computed: int
    folder: pathlib.Path

    def to_json(self) -> dict[str, Any]:
        """Returns the numbers as plain data."""
        return {
            "images": self.images,
            "objects": self.objects,
            "skipped": len(self.skipped),
            "best_score": self.best_score,
            "shards": self.shards,
            "computed": self.computed,
            "output": str(self.folder),
        }


def predict_images(
    model: str,
    source: str,
    output: str,
    options: PredictionOptions = _DEFAULTS,
    shards: int = 0,
    beam_arguments: Sequence[str] = (),
    load: Load = load_predictor,
) -> PredictionRun:
    """Predicts on all images of a source, in shards that workers write.

    Args:
        model: A run folder, a checkpoint folder, an exported folder or a SavedModel.
        source: Images; see `ImageList`.
        output: Folder for `detections-00000-of-0000N.jsonl` and `.tfrecord`,
            `skipped.jsonl` and `label_map.pbtxt`: a new one, or that of an interrupted
            run, which is resumed.
        options: Options of the prediction.
        shards: Number of shards; 0 means one per 1000 images.
        beam_arguments: Beam options, for example `["--runner=FlinkRunner"]`.
        load: Loads the model.

    Raises:
        CheckpointError: There is no model.
        DataError: The source names no image, or an option does not fit the model.
        OutputError: The folder has other files, or a run with other settings.
        MissingPackageError: Apache Beam is not installed.
    """
    if shards < 0:
        raise DataError("num_shards", f"must be 0 or more: {shards}")
    if "://" in output:
        hint = "name a folder on a disk that all workers share, and copy it afterwards"
        raise OutputError(output, "is a web address, which has no rename", hint)
    folder = OutputFolder(output, SHARDED_PREDICTIONS)
    work = Records(beam_arguments)
    images = ImageList(source)
    number = min(shards or -(-len(images) // _IMAGES_PER_SHARD), len(images))
    job = _job(model, str(folder.path.absolute()), images, options, number, load)
    label_map = loaded_model(job).predictor.label_map
    job = dataclasses.replace(
        job,
        selection=Selection(
            options.min_score,
            class_ids(options.classes, label_map),
            options.max_detections,
        ),
    )
    settings = settings_of(job, images)
    is_resumed = check_run(folder.path, settings, images)
    folder.begin()
    if not is_resumed:
        write_run(folder.path, settings, model, images)
    if label_map and not (folder.path / LABEL_MAP).exists():
        save_label_map(label_map, folder.path / LABEL_MAP)
    parts = images.parts(number)
    computed = _compute(work, job, parts)
    return _finish(folder, job, parts, computed)


def _job(
    model: str,
    output: str,
    images: ImageList,
    options: PredictionOptions,
    shards: int,
    load: Load,
) -> Job:
    """Returns the job, whose classes to keep are known after the model is loaded."""
    known = load is load_predictor
    return Job(
        model=os.path.abspath(os.path.expanduser(model)),
        model_digest=model_digest(model) if known else "",
        spec=images.spec,
        root=images.root,
        output=output,
        shards=shards,
        options=options,
        selection=Selection(options.min_score, None, options.max_detections),
        environment=backend_environment(options.device),
        load=load,
    )


def _compute(work: Records, job: Job, parts: Sequence[Part]) -> int:
    """Computes the shards that are missing; returns how many these were."""
    waiting = [p for p in parts if finished_report(job.output, p, job.shards) is None]
    if not waiting:
        return 0
    done = len(parts) - len(waiting)
    if done:
        console().print(
            f"Resuming: {done} of {counted(len(parts), 'shard')} are complete"
        )
    made = work.spread(waiting)
    work.apply(made, "predict shards", PredictShard(job))
    try:
        with _progress(job, waiting):
            work.run()
    except BaseException:
        left = [
            p for p in waiting if finished_report(job.output, p, job.shards) is None
        ]
        console().print(
            f"Stopped: {len(parts) - len(left)} of {counted(len(parts), 'shard')} are "
            "complete; the same command resumes the prediction"
        )
        raise
    return len(waiting)


@contextlib.contextmanager
def _progress(job: Job, waiting: Sequence[Part]) -> Iterator[None]:
    """Shows the number of complete shards, whatever process writes them."""
    ended = threading.Event()

    def complete() -> Iterator[Part]:
        left = list(waiting)
        while left and not ended.wait(_POLL):
            for part in left[:]:
                if finished_report(job.output, part, job.shards) is not None:
                    left.remove(part)
                    yield part

    def show() -> None:
        for _ in track(complete(), "complete shards", len(waiting)):
            pass

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _finish(
    folder: OutputFolder, job: Job, parts: Sequence[Part], computed: int
) -> PredictionRun:
    """Sums the reports, and writes the list of skipped images."""
    reports = [finished_report(job.output, part, job.shards) for part in parts]
    if None in reports:
        raise OutputError(
            job.output,
            f"{reports.count(None)} of {counted(len(parts), 'shard')} are missing "
            "after the run",
            hint="the workers must write to the same folder as this process",
        )
    known = [report for report in reports if report is not None]
    skipped = [(i, name, why) for r in known for i, name, why in r["skipped"]]
    with atomic_open(folder.path / _SKIPPED_FILE) as file:
        for image_id, name, reason in skipped:
            line = {"id": image_id, "file_name": name, "reason": reason}
            file.write(json.dumps(line).encode() + b"\n")
    for path in (folder.path, folder.path / REPORTS):
        remove_unfinished(path)
    folder.finish()
    return PredictionRun(
        sum(r["images"] for r in known),
        sum(r["objects"] for r in known),
        skipped,
        max((r["best_score"] for r in known), default=0.0),
        len(parts),
        computed,
        folder.path,
    )
