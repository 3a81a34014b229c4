"""`odapi.import_checkpoint`: converts an original checkpoint to one of odapi."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from odapi.checkpoints import folder as folders
from odapi.checkpoints.extractors import extractor_beside, other_family, other_model
from odapi.checkpoints.run_folder import write_run_metadata
from odapi.config.label_map import save_label_map
from odapi.config.load import save_config
from odapi.config.model_part import load_model_config
from odapi.config.rules.files import is_placeholder
from odapi.errors import CheckpointError
from odapi.labels import LabelMap
from odapi.outputs.folder import OutputFolder
from odapi.outputs.kinds import IMPORT
from odapi.runtime import backend
from odapi.wording import counted, first_names
from odapi.zoo import values
from odapi.zoo.checkpoint.reader import Checkpoint
from odapi.zoo.classes import classes_of, num_classes_of
from odapi.zoo.keypoints import named_keypoints

if TYPE_CHECKING:
    from odapi.checkpoints.restore import RestoreReport
    from odapi.models.detector import Detector

_CONFIG = folders.CONFIG


@dataclasses.dataclass(frozen=True)
class Imported:
    """Result of an import.

    Args:
        folder: Input for `evaluate`, `predict`, `export` and `train`.
        source: Prefix of the imported checkpoint.
        step: Number of training steps; None: unknown.
        lines: Report for the user.
    """

    folder: pathlib.Path
    source: str
    step: int | None
    lines: tuple[str, ...]


def import_checkpoint(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    config: str | os.PathLike[str] | None = None,
    label_map: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    keep_optimizer: bool = False,
) -> Imported:
    """Converts a checkpoint of the TF Object Detection API to a folder of odapi.

        odapi.import_checkpoint("ssd_mobilenet_v2_320x320_coco17_tpu-8", "runs/coco")
        odapi.predict("runs/coco", ["photo.jpg"])

    A checkpoint with a step becomes a run folder, as of `train`; one without (an
    exported one, as all of the zoo) becomes a folder as of `export`.

    Args:
        path: An unpacked archive of the zoo, a training or export folder of the
            original, or the prefix of one checkpoint.
        output: A new folder; None: `runs/` with the name of the archive.
        config: Its pipeline.config, if it is not in the folder.
        label_map: Its label map, if the path in the config does not exist.
        overrides: Config overrides.
        keep_optimizer: Also import the optimizer state, to resume the training.

    Raises:
        CheckpointError: The checkpoint cannot be read, or does not fill all weights of
            the model; nothing is written then.
        OutputError: The folder is not a new one, or cannot be written.
        ConfigError: The config is invalid, or its model cannot be built.
        DataError: The label map cannot be read.
    """
    checkpoint = Checkpoint(path)
    step = values.step_of(checkpoint)
    if keep_optimizer and step is None:
        raise CheckpointError(
            checkpoint.prefix,
            "is an exported model, which has no optimizer state",
            hint="omit --keep-optimizer, or import the training folder",
        )
    new = _check_output(output, checkpoint.index)
    target = new.path
    file = _config_file(config, pathlib.Path(path).expanduser(), checkpoint.index)
    backend.load()
    from odapi.build.detector import build_detector
    from odapi.zoo.names.detector_keys import detector_keys

    loaded, notes = load_model_config(file, overrides)
    classes, origin = classes_of(loaded, num_classes_of(loaded), file.parent, label_map)
    classes = named_keypoints(loaded, classes, file.parent)
    if loaded.model.center_net.keypoint_estimation_task:
        names = target.resolve() / folders.LABEL_MAP
        loaded.model.center_net.keypoint_label_map_path = str(names)
    detector = build_detector(loaded, label_map=classes)
    keys = detector_keys(detector)
    lines = [
        f"Imported {checkpoint.described}",
        *_fill(detector, keys, checkpoint, file),
    ]
    lines.append(f"  trained     {'' if step is None else step} steps".rstrip())
    if step is None:
        lines[-1] = "  trained     unknown: exported models do not store it"
    lines.append(f"  classes     {origin}")
    lines += [f"  config      {note}" for note in notes]
    lines += _fill_placeholder(loaded, target)
    state = _state(checkpoint, keys, detector, loaded, keep_optimizer)
    lines += state.lines
    _write(new, step, detector, _describer(loaded, classes), state.save)
    return Imported(target, checkpoint.prefix, step, tuple(lines))


@dataclasses.dataclass(frozen=True)
class _State:
    """Writer of the optimizer state, and lines of the report."""

    save: Callable[[pathlib.Path], None]
    lines: list[str]


def _fill(
    detector: "Detector",
    keys: dict[str, str],
    checkpoint: Checkpoint,
    config: pathlib.Path,
) -> list[str]:
    """Loads all weights and returns lines of the report."""
    from odapi.checkpoints.restore import adapt_shapes, extractor_name

    found = values.read_values(checkpoint, keys)
    classes = values.class_counts(detector, keys, found.arrays)
    variables = detector.named_variables()
    there = extractor_beside(checkpoint.index.parent)
    there = there or other_family(checkpoint, keys.values())
    other = other_model(there, extractor_name(detector))
    report = adapt_shapes(
        variables, found.arrays, checkpoint.prefix, "full", classes, other
    )
    report = dataclasses.replace(report, unused=found.unused)
    if report.skipped:
        raise _not_filled(report, keys, classes, config, other)
    return report.lines()[1:]


def _not_filled(
    report: "RestoreReport",
    keys: dict[str, str],
    classes: dict[str, int],
    config: pathlib.Path,
    other: str,
) -> CheckpointError:
    from odapi.checkpoints.restore import NOT_FINITE

    if other and not classes:
        return CheckpointError(
            report.source,
            f"{other} ({config}); not all weights fit",
            hint="use the config that the checkpoint was trained with: --config FILE",
        )
    total = len(report.loaded) + len(report.skipped)
    name, why = next(iter(report.skipped.items()))
    key = f"its key is {keys[name]}" if name in keys else "it has no such part"
    first = f"{name} ({why}; {key})"
    hint = "use the config that the checkpoint was trained with: --config FILE"
    if why == NOT_FINITE:
        hint = "its training diverged: import an earlier checkpoint"
    if classes:
        hint = (
            f"the config has {classes['here']} classes, the checkpoint was trained "
            f"with {classes['there']}: import it with its own config; to train it on "
            "other classes, set train_config.fine_tune_checkpoint to it"
        )
    return CheckpointError(
        report.source,
        f"fills {len(report.loaded)} of {total} weights of the model in {config}; "
        f"the first of {len(report.skipped)} others is {first}",
        hint=hint,
    )


def _state(
    checkpoint: Checkpoint,
    keys: dict[str, str],
    detector: "Detector",
    config: Any,
    keep_optimizer: bool,
) -> _State:
    from odapi.checkpoints.weights import save_arrays
    from odapi.zoo.optimizer_state import save_optimizer

    averages = values.read_slots(checkpoint, keys, values.AVERAGE)
    lines = []
    if averages:
        used = config.eval_config.use_moving_averages
        lines.append(
            f"  averages    of {counted(len(averages), 'variable')}, "
            + ("used: " if used else "kept, not used: ")
            + f"eval_config.use_moving_averages is {str(used).lower()}"
        )
    if keep_optimizer:
        save_state, line = save_optimizer(checkpoint, keys, detector, config, averages)
        return _State(save_state, [*lines, line])
    others = sorted(checkpoint.graph.slot_names() - {values.AVERAGE})
    if others:
        lines.append(
            f"  left out    the optimizer's {', '.join(others)}; to resume the "
            "training use --keep-optimizer"
        )

    def save(folder: pathlib.Path) -> None:
        if averages:
            save_arrays(folder / folders.AVERAGES, averages)

    return _State(save, lines)


def _fill_placeholder(config: Any, target: pathlib.Path) -> list[str]:
    """Sets a placeholder `fine_tune_checkpoint` to the imported weights."""
    train = config.train_config
    if not is_placeholder(train.fine_tune_checkpoint):
        return []
    train.fine_tune_checkpoint = str(target.resolve())
    train.fine_tune_checkpoint_type = "full"
    return [
        "  config      train_config.fine_tune_checkpoint was a placeholder: set to "
        "this folder"
    ]


def _describer(config: Any, classes: LabelMap) -> Callable[[pathlib.Path], None]:
    def describe(folder: pathlib.Path) -> None:
        save_config(config, folder / folders.CONFIG)
        save_label_map(classes, folder / folders.LABEL_MAP)

    return describe


def _write(
    output: OutputFolder,
    step: int | None,
    detector: "Detector",
    describe: Callable[[pathlib.Path], None],
    save_state: Callable[[pathlib.Path], None],
) -> None:
    """Writes a run folder, or without a step a folder in the form of an export."""
    from odapi.checkpoints.weights import save_weights

    def fill(folder: pathlib.Path) -> None:
        save_weights(detector, folder / folders.WEIGHTS)
        save_state(folder)
        describe(folder)

    def fill_export(folder: pathlib.Path) -> None:
        (folder / "checkpoint").mkdir()
        fill(folder / "checkpoint")
        describe(folder)

    if step is None:
        folders.write_folder(output.path, fill_export)
        output.finish()
        return
    written = folders.write(output.path, step, fill)
    write_run_metadata(output.path, describe)
    folders.set_pointer(output.path, "last", written)


def _check_output(
    output: str | os.PathLike[str] | None, index: pathlib.Path
) -> OutputFolder:
    """Checks the output folder before the import starts."""
    if output is None:
        folder = index.parent.resolve()
        archive = folder.parent if folder.name == "checkpoint" else folder
        output = pathlib.Path("runs") / archive.name
    return OutputFolder(pathlib.Path(output).expanduser(), IMPORT)


def _config_file(
    config: str | os.PathLike[str] | None, path: pathlib.Path, index: pathlib.Path
) -> pathlib.Path:
    """Returns the pipeline.config that belongs to a checkpoint."""
    if config is not None:
        given = pathlib.Path(config).expanduser()
        return given / _CONFIG if given.is_dir() else given
    found: list[str] = []
    for folder in (path, index.parent, index.parent.parent):
        if (folder / _CONFIG).is_file():
            return folder / _CONFIG
        others = sorted(folder.glob("*.config")) if folder.is_dir() else []
        if len(others) == 1:  # Trained with a file of another name.
            return others[0]
        found += [name for name in map(str, others) if name not in found]
    hint = "use the one that it was trained with: --config pipeline.config"
    if found:
        names = first_names(found, 5)
        hint = f"name the one that it was trained with, --config FILE: {names}"
    raise CheckpointError(str(path), f"no {_CONFIG} next to the checkpoint", hint=hint)
