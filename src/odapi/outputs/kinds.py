"""The kinds of folders that odapi writes, and the files that each consists of."""

import dataclasses
import fnmatch
import pathlib


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of output folder.

    Args:
        name: In the marker file.
        noun: For messages, with its article.
        patterns: Globs of the files, relative to the folder; `*` also matches "/".
        replaced: Whether a later output of the same kind may replace it. If not, a
            new folder is needed.
        whole: Whether all files of the folder are replaced, not only those of
            `patterns`.
        continued: Whether a later call continues it, and thus accepts its content.
        kept: Globs of files of the user that may lie in a new folder; they are kept.
    """

    name: str
    noun: str
    patterns: tuple[str, ...] = ()
    replaced: bool = True
    whole: bool = False
    continued: bool = False
    kept: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """Globs of the entries of the folder that belong to it."""
        if self.whole:
            return ("*",)
        return tuple(dict.fromkeys(p.split("/")[0] for p in self.patterns))

    def has_file(self, name: str) -> bool:
        """Returns whether a relative path with "/" is that of a file of this kind."""
        return matches(name, self.patterns)


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Returns whether a name matches one of several globs."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


_MODEL = ("pipeline.config", "label_map.pbtxt", "keypoint_label_map.pbtxt")
_WEIGHTS = ("weights.h5", "averages.h5", "batch_norm.h5", "training_state.json")


RUN = Kind(
    "run",
    "a training run",
    (*_MODEL, "checkpoints/*", "train/*", "eval/*", "metrics.jsonl", "losses.jsonl")
    + ("curves.png", "training.json", "trackers.json", "trackers/*"),
    continued=True,
    kept=("*.config", "*.pbtxt"),
)
EXPORT = Kind(
    "export",
    "an export",
    ("saved_model/*", "model*.onnx", "model*.tflite", "openvino*/*", "export.json")
    + (*_MODEL, "checkpoint/weights.h5", "checkpoint/batch_norm.h5")
    + tuple(f"checkpoint/{name}" for name in _MODEL),
)
ORIGINAL_CHECKPOINT = Kind(
    "original checkpoint",
    "a checkpoint for the TF Object Detection API",
    ("checkpoint/checkpoint", "checkpoint/ckpt-0.*", *_MODEL),
)
IMPORT = Kind("import", "an imported checkpoint", replaced=False, whole=True)
CHECKPOINT = Kind(
    "checkpoint",
    "a checkpoint",
    (*_WEIGHTS, *_MODEL),
    whole=True,
)
PREDICTIONS = Kind(
    "predictions",
    "the output of a prediction",
    ("detections*.json", "detections*.csv", "images/*.jpg", "images/*.png"),
)
SHARDED_PREDICTIONS = Kind(
    "sharded predictions",
    "the output of `odapi tools predict`",
    ("run.json", "images.jsonl", "skipped.jsonl", "label_map.pbtxt")
    + ("detections-*", "shards/*"),
    continued=True,
)
EVALUATION = Kind(
    "evaluation",
    "the output of an evaluation",
    ("metrics.json", "categories.csv", "detections.json", "label_map.json")
    + ("pipeline.config", "precision_recall.png", "mosaic.png", "side_by_side/*.jpg"),
)
INSPECTION = Kind(
    "inspection",
    "the report of a dataset",
    tuple(
        f"{folder}{name}"
        for folder in ("", "train/", "eval/")
        for name in ("report.json", "mosaic.png", "outliers.png", "tiny_objects.png")
        + ("near_duplicates.png",)
    ),
)
KEYPOINTS = Kind(
    "keypoints", "the keypoint section of a config", ("label_map.pbtxt", "*.config")
)
ANCHORS = Kind(
    "anchors",
    "the recall of anchors",
    ("anchors.json", "anchors.png", "anchors.txt"),
)
GALLERY = Kind(
    "gallery", "a gallery of augmentations", ("[0-9][0-9]_*.jpg", "index.html")
)
STEP = Kind("step", "a checkpoint of a training run", replaced=False)
DATASET = Kind("dataset", "a dataset", replaced=False)

STUDY = Kind(
    "study",
    "a hyperparameter study",
    ("study.json", "base.config", "best.config", "trials.csv", "history.png")
    + ("journal.log*", "study.db*", "configs/*", "logs/*", "locks/*", "trials/*"),
    continued=True,
)
BENCHMARK = Kind(
    "benchmark", "a benchmark of models", ("benchmark.json", "benchmark.png")
)
CROPS = Kind("crops", "a set of crops", replaced=False)


def _inside(folder: str, kind: Kind) -> tuple[str, ...]:
    """Returns the patterns of an output in a folder of another, with its marker."""
    return tuple(f"{folder}/{pattern}" for pattern in (*kind.patterns, ".*"))


QUICKSTART = Kind(
    "quickstart",
    "a quick start",
    ("data/train/*.jpg", "data/val/*.jpg", "data/train.json", "data/val.json")
    + ("summary.json", "detections.jpg")
    + _inside("model", RUN)
    + _inside("exported", EXPORT)
    + _inside("evaluation", EVALUATION)
    + _inside("predictions", PREDICTIONS),
)

KINDS = {
    kind.name: kind
    for kind in (
        RUN, STEP, EXPORT, ORIGINAL_CHECKPOINT, IMPORT, CHECKPOINT, PREDICTIONS,
        EVALUATION, INSPECTION, KEYPOINTS, ANCHORS, GALLERY, DATASET, CROPS, STUDY,
        QUICKSTART, SHARDED_PREDICTIONS, BENCHMARK,
    )
}  # fmt: skip


def older_kind(folder: pathlib.Path) -> Kind | None:
    """Returns the kind of a folder that a version without marker files wrote."""
    if any((folder / "checkpoints").glob("step-*/weights.h5")):
        return RUN
    if (folder / "checkpoint" / "weights.h5").is_file():
        averages = (folder / "checkpoint" / "averages.h5").is_file()
        return IMPORT if averages else EXPORT  # Exports have no averages.
    if (folder / "weights.h5").is_file():
        return STEP if (folder / "training_state.h5").is_file() else CHECKPOINT
    return QUICKSTART if (folder / ".quickstart").is_file() else None
