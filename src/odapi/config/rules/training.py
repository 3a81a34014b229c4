"""Settings of the training that keep a model from learning."""

import math
import re
from collections.abc import Iterator
from typing import Any

from odapi.config import schema
from odapi.config.findings import Finding, error, warning
from odapi.config.load import options
from odapi.config.view import decimal
from odapi.errors import did_you_mean
from odapi.wording import counted

# Learning rates of the zoo's momentum recipes and the batch size of each.
_ZOO_BATCH = {0.8: 512, 0.08: 128, 0.04: 64}
# Highest learning rate of the published configs per image of a batch: MnasFPN.
_MAX_RATE_PER_IMAGE = 4 / 1024
# With gradients that are clipped: the recipes learn with 0.04 and batches of 5.
_MAX_CLIPPED_RATE_PER_IMAGE = 0.01
_MAX_ADAM_RATE = 0.01
# Published configs train for 200 000 steps with a schedule from 900 000 on.
_MAX_SCHEDULE_RATIO = 5

# Share of the initial batch statistics that is left without harm.
_INITIAL_SHARE = 0.05
_CHECKPOINT_TYPES = ("classification", "detection", "full")
_METRICS = tuple(
    f"Detection{what}_{name}"
    for what in ("Boxes", "Masks")
    for name in (
        *(f"Precision/mAP{end}"
          for end in ("", "@.50IOU", "@.75IOU", " (small)", " (medium)", " (large)")),
        *(f"Recall/AR@{end}"
          for end in ("1", "10", "100", "100 (small)", "100 (medium)", "100 (large)")),
    )
)  # fmt: skip


def find(config: Any) -> Iterator[Finding]:
    """Yields settings that keep a training from starting or from learning."""
    if not config.HasField("train_config"):
        yield error("train_config", "is missing; it configures the training")
        return
    train = config.train_config
    if not train.num_steps:
        yield error(
            "train_config.num_steps",
            "is 0: there is nothing to train",
            "set the number of batches, such as --set train_config.num_steps=5000",
        )
    yield from _find_rate(train)
    yield from _find_averages(config)
    yield from _find_batch_norm(config)
    yield from _find_fine_tuning(train)
    yield from _find_patterns(train)
    yield from _find_options(config)
    yield from find_accumulation(config)


def rate_of(train: Any) -> tuple[str, str, Any] | None:
    """Returns (optimizer, path of the schedule, its message), or None if not set."""
    name = train.optimizer.WhichOneof("optimizer")
    if name is None:
        return None
    rate = getattr(train.optimizer, name).learning_rate
    kind = rate.WhichOneof("learning_rate")
    if kind is None:
        return None
    path = f"train_config.optimizer.{name}.learning_rate.{kind}"
    return name, path, getattr(rate, kind)


def _find_rate(train: Any) -> Iterator[Finding]:
    found = rate_of(train)
    if found is None:
        return
    optimizer, path, schedule = found
    kind = path.rsplit(".", 1)[1]
    highest, field = _highest(kind, schedule)
    clips = train.gradient_clipping_by_norm > 0
    path_of_rate, batch = f"{path}.{field}", train.batch_size
    yield from _find_high_rate(optimizer, path_of_rate, highest, batch, clips)
    if kind == "cosine_decay_learning_rate":
        yield from _find_cosine(path, schedule, train.num_steps)
    elif kind == "manual_step_learning_rate":
        yield from _find_manual(path, schedule, train.num_steps)
    elif kind == "exponential_decay_learning_rate":
        if 0 < train.num_steps <= schedule.burnin_steps:
            yield warning(
                f"{path}.burnin_steps",
                f"is {schedule.burnin_steps}, and the training has only "
                f"{counted(train.num_steps, 'step')}",
                check="long_warmup",
            )


def _highest(kind: str, schedule: Any) -> tuple[float, str]:
    """Returns the highest learning rate of a schedule, and its field."""
    if kind == "constant_learning_rate":
        return schedule.learning_rate, "learning_rate"
    if kind == "cosine_decay_learning_rate":
        return schedule.learning_rate_base, "learning_rate_base"
    rates = [(schedule.initial_learning_rate, "initial_learning_rate")]
    if kind == "manual_step_learning_rate":
        rates += [
            (step.learning_rate, f"schedule[{i}].learning_rate")
            for i, step in enumerate(schedule.schedule)
        ]
    return max(rates, key=lambda rate: rate[0])


def _find_high_rate(
    optimizer: str, path: str, rate: float, batch: int, clips: bool
) -> Iterator[Finding]:
    rate = decimal(rate)
    if rate == 0:
        yield error(path, "is 0: the model would not learn")
    elif optimizer == "adam_optimizer" and rate > _MAX_ADAM_RATE:
        yield warning(
            path,
            f"{rate:g} is high for Adam; usual is 0.001",
            check="high_learning_rate",
        )
    elif optimizer == "momentum_optimizer" and batch:
        if clips and rate <= batch * _MAX_CLIPPED_RATE_PER_IMAGE:
            return
        zoo = _ZOO_BATCH.get(rate, 0)
        if batch * 2 >= zoo and rate / batch <= _MAX_RATE_PER_IMAGE:
            return
        source = f"the zoo uses {rate:g} with batches of {zoo}"
        if not zoo:
            source = "the highest of the zoo is 4 with batches of 1024"
        scaled = rate * batch / zoo if zoo else 0.8 * batch / 512
        yield warning(
            path,
            f"{rate:g} is high for batches of {batch}: {source}",
            f"scaled linearly: --set {path}={scaled:.3g}, "
            "and warmup_learning_rate likewise",
            check="high_learning_rate",
        )


def about_cosine(path: str, schedule: Any) -> Iterator[Finding]:
    """Yields steps and rates of a `CosineDecayLearningRate` that cannot be."""
    base, warmup = schedule.learning_rate_base, schedule.warmup_learning_rate
    if schedule.warmup_steps and warmup > base:
        yield error(
            f"{path}.warmup_learning_rate",
            f"{warmup:.7g} is above learning_rate_base {base:.7g}",
            "the warm-up ends at the base rate",
        )
    start = schedule.warmup_steps + schedule.hold_base_rate_steps
    if start > schedule.total_steps:
        yield error(
            f"{path}.total_steps",
            f"is {schedule.total_steps}, less than the {start} of warmup_steps and "
            "hold_base_rate_steps",
        )


def about_manual(path: str, schedule: Any) -> Iterator[Finding]:
    """Yields steps of a `ManualStepLearningRate` that do not increase."""
    steps = [step.step for step in schedule.schedule]
    if steps != sorted(set(steps)) or min(steps, default=1) < 1:
        yield error(f"{path}.schedule", f"the steps {steps} must increase from 1")


def _find_cosine(path: str, schedule: Any, num_steps: int) -> Iterator[Finding]:
    if 0 < num_steps <= schedule.warmup_steps:
        yield warning(
            f"{path}.warmup_steps",
            f"is {schedule.warmup_steps}, and the training has only "
            f"{counted(num_steps, 'step')}",
            "the base rate is never reached: train longer, or set about a tenth of "
            f"the steps: --set {path}.warmup_steps={max(num_steps // 10, 1)}",
            check="long_warmup",
        )
    elif 0 < num_steps and schedule.total_steps != num_steps:
        more = (
            "continues with rate 0"
            if num_steps > schedule.total_steps
            else "ends early"
        )
        yield warning(
            f"{path}.total_steps",
            f"is {schedule.total_steps}, but train_config.num_steps is {num_steps}: "
            f"the training {more}",
            f"--set {path}.total_steps={num_steps}",
            check="schedule_length",
        )


def _find_manual(path: str, schedule: Any, num_steps: int) -> Iterator[Finding]:
    unreached = [
        i for i, step in enumerate(schedule.schedule) if step.step >= num_steps
    ]
    if not num_steps or not unreached:
        return
    first = unreached[0]
    step = schedule.schedule[first].step
    if step >= num_steps * _MAX_SCHEDULE_RATIO:
        yield warning(
            f"{path}.schedule[{first}].step",
            f"{step} is never reached: the training has {counted(num_steps, 'step')}",
            check="schedule_length",
        )


def _find_averages(config: Any) -> Iterator[Finding]:
    optimizer = config.train_config.optimizer
    path = "train_config.optimizer.use_moving_average"
    wanted = config.eval_config.use_moving_averages
    if not optimizer.use_moving_average:
        if wanted:
            yield warning(
                "eval_config.use_moving_averages",
                f"has no effect: {path} is false, so there are none",
            )
    elif not optimizer.HasField("use_moving_average"):
        yield warning(
            path,
            "is not set, and the schema's default is true: averages of all weights "
            "are kept" + ("" if wanted else ", which evaluation does not use"),
            "set it to false, or eval_config.use_moving_averages to true",
        )
    elif not wanted:
        yield warning(
            path,
            "averages are kept, but evaluation uses the plain weights",
            "--set eval_config.use_moving_averages=true",
        )


def _find_batch_norm(config: Any) -> Iterator[Finding]:
    """Yields batch statistics that hardly change before the training ends."""
    steps = config.train_config.num_steps
    is_solved = options(config).recalibrate_batch_norm > 0
    if config.model.ssd.freeze_batchnorm or not steps or is_solved:
        return
    for path, owner, field in schema.walk(config):
        if schema.key(field) == "BatchNorm.decay" and owner.train:
            left = owner.decay**steps if 0 < owner.decay < 1 else 0.0
            if left > _INITIAL_SHARE:
                enough = math.floor(100 * _INITIAL_SHARE ** (1 / steps)) / 100
                yield warning(
                    path,
                    f"with {owner.decay:.7g}, {left:.0%} of the batch statistics are "
                    f"still the initial ones after {counted(steps, 'step')}",
                    "evaluation uses them; train longer, set a smaller decay, "
                    f"{enough:g} or below, or re-estimate them for evaluation and "
                    "export (also of a finished run): --set "
                    "options.recalibrate_batch_norm=50",
                    check="slow_batch_norm",
                )
                return


def _find_fine_tuning(train: Any) -> Iterator[Finding]:
    kind = train.fine_tune_checkpoint_type
    path = "train_config.fine_tune_checkpoint_type"
    if kind and kind not in _CHECKPOINT_TYPES:
        yield error(
            path,
            f"unknown value {kind!r}; known values are {', '.join(_CHECKPOINT_TYPES)}",
            did_you_mean(kind, _CHECKPOINT_TYPES),
        )
    if not train.fine_tune_checkpoint:
        if kind:
            yield warning(path, "has no effect: fine_tune_checkpoint is not set")
        return
    if not kind:
        assumed = "detection" if train.from_detection_checkpoint else "classification"
        yield warning(path, f"is not set; {assumed!r} is used")
    version = train.fine_tune_checkpoint_version
    if version != 2:
        yield warning(
            "train_config.fine_tune_checkpoint_version",
            "is V1 (its default), the format of TF1; it is read as V2",
            "add fine_tune_checkpoint_version: V2",
        )


def _find_patterns(train: Any) -> Iterator[Finding]:
    for name in ("freeze_variables", "update_trainable_variables"):
        for index, pattern in enumerate(getattr(train, name)):
            try:
                re.compile(pattern)
            except re.error as problem:
                yield error(
                    f"train_config.{name}[{index}]",
                    f"{pattern!r} is not a regular expression: {problem}",
                )


def _find_options(config: Any) -> Iterator[Finding]:
    ours = options(config)
    metric = ours.evaluation.best_metric
    if metric not in _METRICS and "ByCategory" not in metric:
        yield error(
            "options.evaluation.best_metric",
            f"unknown metric {metric!r}; known are {', '.join(_METRICS)}",
            did_you_mean(metric, _METRICS),
        )
    if ours.early_stopping.patience and not ours.evaluation.every_n_steps:
        yield warning(
            "options.early_stopping.patience",
            "has no effect: options.evaluation.every_n_steps is 0",
        )
    steps = config.train_config.num_steps
    if ours.early_stopping.patience and 0 < steps <= ours.evaluation.every_n_steps:
        yield warning(
            "options.early_stopping.patience",
            f"has no effect: the only evaluation is after the last of "
            f"{counted(steps, 'step')}",
            "--set options.evaluation.every_n_steps=...",
        )
    if ours.precision == ours.AUTO and ours.deterministic:
        yield error(
            "options.precision",
            "AUTO chooses by measured times, which differ from run to run; "
            "options.deterministic asks for the same numbers of every run",
            "set FLOAT32, BFLOAT16 or FLOAT16, or options.deterministic=false",
        )


def find_accumulation(config: Any) -> Iterator[Finding]:
    """Yields a batch that gradient accumulation cannot divide into equal parts."""
    parts, batch = options(config).gradient_accumulation, config.train_config.batch_size
    if parts < 1 or not batch % parts:  # Too small: found by its range.
        return
    fitting = [str(n) for n in range(1, batch + 1) if batch % n == 0]
    yield error(
        "options.gradient_accumulation",
        f"is {parts}, which does not divide train_config.batch_size {batch}",
        f"the batch size is the number of images per update; it divides by "
        f"{', '.join(fitting[:12])}",
    )
