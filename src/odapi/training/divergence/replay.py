"""Repeats a saved step, and names the first tensor that is not finite."""

import dataclasses
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from odapi.build.detector import build_detector
from odapi.build.optimizer import build_optimizer
from odapi.checkpoints import folder as folders
from odapi.checkpoints.metadata import find_keypoints
from odapi.checkpoints.start_folder import use_start_folder
from odapi.checkpoints.weights import values
from odapi.config.load import load_config, options
from odapi.files import Pathlike
from odapi.losses.names import TOTAL_LOSS
from odapi.models.detector import Detector
from odapi.runtime.determinism import seed_everything
from odapi.training import resume
from odapi.training.divergence import saved_step
from odapi.training.divergence.advice import advice_for
from odapi.training.divergence.finite_updates import MAX_GRADIENT
from odapi.training.divergence.gradients import bad_rows, gradients, loss_parts
from odapi.training.divergence.layer_trace import LayerRecord, LayerTrace
from odapi.training.divergence.saved_step import SavedStep
from odapi.training.divergence.statistics import TensorStatistics, statistics_of
from odapi.training.freeze import freeze
from odapi.training.resume import ResumePoint
from odapi.wording import counted
from odapi.zoo.names.detector_keys import detector_keys

_MAX_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Culprit:
    """The first tensor of a step that is not finite.

    Args:
        kind: "input", "weight", "layer", "loss" or "gradient", in the order of a step.
        name: Field and image, variable, layer, or part of the loss.
        details: Lines with its statistics and those of what it was computed from.
    """

    kind: str
    name: str
    details: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Replay:
    """Result of repeating a step.

    Args:
        folder: The saved step.
        saved: What was known about it.
        losses: Losses of the repeated step, by name, the total last.
        notes: Observations about the batch and the weights that may be the cause.
        culprit: The first tensor that is not finite; None if all are finite.
        advice: Next steps.
    """

    folder: str
    saved: SavedStep
    losses: Mapping[str, float]
    notes: tuple[str, ...]
    culprit: Culprit | None
    advice: str

    def as_dict(self) -> dict[str, Any]:
        """Returns the result in values that JSON can hold."""
        found = dataclasses.asdict(self)
        found["losses"] = {n: _for_json(v) for n, v in self.losses.items()}
        found["saved"]["losses"] = {
            n: _for_json(v) for n, v in self.saved.losses.items()
        }
        return found

    def lines(self) -> list[str]:
        """Returns the result as lines of text."""
        saved = self.saved
        names = list(self.losses) or list(saved.losses)
        shown = [f"Step {saved.step}: {saved.problem}"]
        for name in names:
            then = saved.losses.get(name, math.nan)
            now = f"{self.losses[name]:.6g}" if name in self.losses else "-"
            shown.append(f"  {name}: {then:.6g} in training, {now} repeated")
        shown += [f"  note: {note}" for note in self.notes]
        if self.culprit is None:
            shown.append("All tensors of the repeated step are finite.")
        else:
            shown.append(
                f"First tensor that is not finite or too large: {self.culprit.kind} "
                f"{self.culprit.name}"
            )
            shown += [f"  {line}" for line in self.culprit.details]
        return [*shown, f"Advice: {self.advice}"]


def replay(folder: Pathlike) -> Replay:
    """Repeats a step that diverged, and names the first tensor that is not finite.

    The step is computed layer by layer instead of by a compiled function, which may
    change the last digits of the losses. Nothing is written.

    Args:
        folder: A folder `model_dir/nan/step-XXXXXXXX`, which a training writes before
            it raises `DivergedError`.

    Raises:
        CheckpointError: The folder is none of a saved step, or is damaged.
    """
    folder = pathlib.Path(folder)
    saved_step.read(folder)  # First, as its errors are about the folder.
    return explain(folder, _build(folder))


def explain(folder: pathlib.Path, detector: Detector) -> Replay:
    """Repeats a saved step with a detector that has the saved weights; see `replay`."""
    saved = saved_step.read(folder)
    inputs, groundtruth = saved_step.read_batch(folder)
    notes = [
        f"image {_id(saved, row)}: {problem}"
        for row, problem in bad_rows(inputs, groundtruth, detector.num_classes)
    ]
    if not saved.has_state_before:
        notes.append(
            "the weights are those from after the step, which had changed them when it "
            "was noticed"
        )
    steps = _Steps(detector, saved, inputs, groundtruth)
    culprit = steps.find()
    return Replay(
        str(folder),
        saved,
        steps.losses,
        tuple(notes + steps.notes),
        culprit,
        advice_for(
            culprit.kind if culprit else "",
            saved,
            steps.largest,
            steps.largest_gradient,
        ),
    )


def _build(folder: pathlib.Path) -> Detector:
    """Returns the detector with the saved weights and random state."""
    config = load_config(folder / folders.CONFIG)
    use_start_folder(config, folder)
    find_keypoints(config, folder)
    ours, train = options(config), config.train_config
    seed_everything(ours.seed, ours.deterministic)
    detector = build_detector(config, seed=ours.seed)
    frozen, trained = train.freeze_variables, train.update_trainable_variables
    if frozen or trained:
        freeze(detector, frozen, trained, detector_keys(detector))
    optimizer = build_optimizer(config).optimizer
    optimizer.build(detector.trainable_variables)
    point = ResumePoint(folder, same_data=False)
    resume.restore(point, detector, optimizer, pipeline=None)
    return detector


class _Steps:
    """The parts of a step in their order, until one is not finite.

    Attributes:
        losses: See `Replay`.
        notes: See `Replay`.
        largest: Largest magnitude of a finite output of a layer; 0 before the
            forward pass.
        largest_gradient: Likewise, if all gradients are finite.
    """

    def __init__(
        self, detector: Detector, saved: SavedStep, inputs: Any, groundtruth: Any
    ):
        self._detector, self._saved = detector, saved
        self._batch = (inputs, groundtruth)
        self.losses: dict[str, float] = {}
        self.notes: list[str] = []
        self.largest = self.largest_gradient = 0.0

    def find(self) -> Culprit | None:
        """Returns the first tensor that is not finite; None if all are."""
        return (
            self._in_batch()
            or self._in_weights()
            or self._in_forward_pass()
            or self._in_gradients()
        )

    def _in_batch(self) -> Culprit | None:
        for fields in self._batch:
            for name, value in fields.items():
                got = statistics_of(value)
                if not got.is_finite and name != "keypoints":  # NaN there: unlabeled.
                    rows = _rows(value)
                    ids = [_id(self._saved, row) for row in rows]
                    return Culprit("input", f"{name} of {', '.join(ids)}", (str(got),))
        return None

    def _in_weights(self) -> Culprit | None:
        # Moving statistics are those from after the step, and not read in training.
        trained = {id(v) for v in self._detector.trainable_variables}
        named = self._detector.named_variables()
        bad = {
            name: got
            for name, variable in named.items()
            if not (got := statistics_of(variable)).is_finite
            and (
                id(variable) in trained or not name.rsplit("/")[-1].startswith("moving")
            )
        }
        if not bad:
            return None
        first = next(iter(bad))
        more = f" and {len(bad) - 1} other variables" if len(bad) > 1 else ""
        return Culprit("weight", f"{first}{more}", (str(bad[first]),))

    def _in_forward_pass(self) -> Culprit | None:
        random = _random_state(self._detector)
        trace = LayerTrace()
        with trace.watching(self._detector):
            parts = loss_parts(self._detector, *self._batch)
        _restore(random)
        self.largest = max((r.largest for r in trace.largest), default=0.0)
        self.losses = {
            n: float(keras.ops.convert_to_numpy(v)) for n, v in parts.items()
        }
        self.losses[TOTAL_LOSS] = sum(self.losses.values())
        if trace.first is not None:
            return Culprit("layer", trace.first.name, tuple(_about(trace.first)))
        for name, value in self.losses.items():
            if not math.isfinite(value):
                return Culprit("loss", name, _largest_layers(trace))
        if self._saved.losses.get(TOTAL_LOSS, 0.0) > 0:
            self.notes += _largest_layers(trace)
        return None

    def _in_gradients(self) -> Culprit | None:
        found = gradients(self._detector, *self._batch)
        bad = {name: got for name, got in found.items() if not got.is_finite}
        if not bad:
            large = (got.largest for got in found.values())
            self.largest_gradient = max(large, default=0.0)
            bad = {n: s for n, s in found.items() if s.largest > MAX_GRADIENT}
        largest = sorted(found, key=lambda name: -found[name].largest)[:_MAX_SHOWN]
        if bad:
            lines = [f"{name}: {got}" for name, got in list(bad.items())[:_MAX_SHOWN]]
            total = counted(len(found), "variable")
            lines.append(f"{len(bad)} of {total} have such a gradient")
            # The backward pass begins at the heads, with the last variables.
            return Culprit("gradient", list(bad)[-1], tuple(lines))
        self.notes += [
            f"large gradient: {name}, up to {found[name].largest:.4g}"
            for name in largest
        ]
        return None


def _about(record: LayerRecord) -> list[str]:
    lines = [f"{record.kind} returns {_join(record.outputs)}"]
    lines += [f"its input: {s}" for s in record.inputs]
    lines += [f"its weight {name}: {s}" for name, s in record.weights.items()]
    return lines


def _largest_layers(trace: LayerTrace) -> tuple[str, ...]:
    return tuple(
        f"large output: {record.name}, up to {record.largest:.4g}"
        for record in trace.largest
    )


def _join(statistics: tuple[TensorStatistics, ...]) -> str:
    return "; ".join(map(str, statistics))


def _rows(value: Any) -> list[int]:
    array = np.asarray(value)
    finite = np.isfinite(array.reshape(len(array), -1)).all(1)
    return [int(row) for row in np.where(~finite)[0]]


def _id(saved: SavedStep, row: int) -> str:
    return saved.image_ids[row] if row < len(saved.image_ids) else f"row {row}"


def _random_state(detector: Detector) -> list[tuple[keras.Variable, np.ndarray]]:
    """Returns the variables that the forward pass changes, with their values."""
    changed = [v for v in detector.variables if not v.trainable]
    found = values({str(i): v for i, v in enumerate(changed)})
    return [(v, np.array(found[str(i)])) for i, v in enumerate(changed)]


def _restore(state: list[tuple[keras.Variable, np.ndarray]]) -> None:
    for variable, value in state:
        variable.assign(value)


def _for_json(value: float) -> Any:
    return value if math.isfinite(value) else str(value)
