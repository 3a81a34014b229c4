"""Resumes a run: finds its checkpoint, compares the configs, restores the state."""

import pathlib
import re
from typing import Any, NamedTuple

import keras

from odapi.checkpoints import averages, training_state
from odapi.checkpoints import folder as folders
from odapi.checkpoints.weights import load_weights
from odapi.config.diff import Difference, diff
from odapi.config.label_map import load_label_map
from odapi.data.sources.classes import UnknownClassError
from odapi.errors import CheckpointError, ConfigError, DataError
from odapi.labels import LabelMap
from odapi.models.detector import Detector

# Fields that change the model or the variables of the optimizer: saved ones do not fit.
_REFUSED = re.compile(
    r"model\.(?!.*post_processing)"
    r"|train_config\.(freeze_variables|update_trainable_variables)"
    r"|train_config\.optimizer\.use_moving_average$"
    r"|options\.precision"
)
# Fields that change the order of batches: the saved position means nothing.
_OTHER_DATA = re.compile(
    r"train_input_reader|train_config\.batch_size|(\[?odapi\.)?options\]?\."
    r"(train_data|seed|sampling.*)$|options\.(train_data|seed|sampling.*)$"
)


class ResumePoint(NamedTuple):
    """The checkpoint to resume from."""

    checkpoint: pathlib.Path
    same_data: bool = True  # False: its position in the data means nothing any more.
    label_map: LabelMap | None = None  # None: unknown.

    def new_classes(self, error: UnknownClassError) -> DataError:
        """Returns the error for data with classes that the run lacks."""
        if self.label_map is not None and self.label_map.is_numbered:
            file = self.checkpoint / folders.LABEL_MAP
            return DataError(
                error.place,
                error.problem,
                hint=f"the classes of this run have no names: write them to {file}, or "
                "import its checkpoint again with --label-map FILE",
            )
        return DataError(
            error.place,
            error.problem,
            hint="a run keeps its classes. To train with others, start a new run from "
            f"this one: --model-dir NEW {fine_tune(self.checkpoint)}; to train without "
            "these objects: --set options.data_loading.drop_unknown_classes=true",
        )


def fine_tune(checkpoint: pathlib.Path) -> str:
    """Returns the options that start a run from a checkpoint, classes by name."""
    return (
        f"--set train_config.fine_tune_checkpoint={checkpoint} "
        "--set train_config.fine_tune_checkpoint_type=full"
    )


def find_checkpoint(
    model_dir: pathlib.Path, cleans: bool = True
) -> pathlib.Path | None:
    """Returns the checkpoint to resume from; None if the run is new.

    Args:
        model_dir: Folder of the run.
        cleans: Whether to remove what a kill left behind.

    Raises:
        CheckpointError: The last checkpoint has no training state.
    """
    if cleans:
        folders.remove_partial(model_dir)
    last = folders.latest(model_dir)
    if last is not None and not training_state.is_resumable(last):
        raise CheckpointError(
            str(last),
            "has no training state, so training cannot be resumed from it",
            hint="choose another --model-dir, and start from this checkpoint with "
            "train_config.fine_tune_checkpoint",
        )
    return last


def find_label_map(checkpoint: pathlib.Path) -> LabelMap | None:
    """Returns the classes of a run; None if its checkpoint has no label map.

    Raises:
        DataError: The label map cannot be read.
    """
    file = checkpoint / folders.LABEL_MAP
    return load_label_map(file) if file.is_file() else None


def restore(
    point: ResumePoint,
    detector: Detector,
    optimizer: keras.optimizers.Optimizer,
    pipeline: Any,
) -> dict[str, Any]:
    """Restores a checkpoint into its parts.

    Args:
        point: The checkpoint.
        detector, optimizer: Built; get their saved variables.
        pipeline: Gets its saved position, if that is still valid.

    Returns:
        The facts that were saved, such as "step".
    """
    checkpoint = point.checkpoint
    load_weights(detector, checkpoint / folders.WEIGHTS)
    facts = training_state.load(checkpoint, detector, optimizer)
    averages.load(checkpoint, detector, optimizer)
    # A run imported from the TF Object Detection API has no position in our data.
    if point.same_data and facts.get("data") is not None:
        try:
            pipeline.set_state(facts["data"])
        except DataError as error:
            raise DataError(
                error.place,
                error.problem,
                hint=f"{error.hint}. If ".removeprefix(". ")
                + "the dataset has grown, resume with another --seed, which starts the "
                "data from the beginning, or start a new run from this one: "
                f"--model-dir NEW {fine_tune(checkpoint)}",
            ) from error
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else error
            raise CheckpointError(
                str(checkpoint / training_state.FACTS),
                f"is damaged: its position in the data cannot be used: {reason}",
                hint="to start the data from the beginning, resume with another --seed",
            ) from error
    return facts


def differences(saved: Any, config: Any) -> list[Difference]:
    """Returns the differences between `config` and that of the checkpoint.

    Raises:
        ConfigError: The weights or the optimizer depend on a field that differs.
    """
    found = diff(saved, config)
    kinds = [c.train_config.optimizer.WhichOneof("optimizer") for c in (saved, config)]
    refused = [d for d in found if _REFUSED.search(d.path)]
    if kinds[0] != kinds[1]:
        refused.append(Difference("train_config.optimizer", *map(str, kinds)))
    if refused:
        raise ConfigError(
            refused[0].path,
            "differs from the run in this folder: " + "; ".join(map(_line, refused)),
            hint="choose another --model-dir for another model, or start from this run "
            "with train_config.fine_tune_checkpoint",
        )
    return found


def same_data(found: list[Difference]) -> bool:
    """Returns True if the saved position in the data is still valid."""
    return not any(_OTHER_DATA.search(d.path) for d in found)


def lines(found: list[Difference]) -> list[str]:
    """Returns the differences as lines of text."""
    if not found:
        return []
    shown = ["The config differs from that of the run; from now on:"]
    shown += [f"  {_line(d)}" for d in found]
    if not same_data(found):
        shown.append("  the data starts from the beginning")
    return shown


def _line(difference: Difference) -> str:
    return f"{difference.path}: {difference.left} -> {difference.right}"
