"""What a training is to do, and what it did."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Plan:
    """How long to train, and what happens meanwhile.

    Args:
        num_steps: Updates in all, counted from the very first.
        log_every: Steps between lines in the event files.
        save_every: Steps between checkpoints; the last step is always saved.
        keep: Checkpoints kept besides the best and the last.
        evaluate_every: Steps between evaluations; 0: at the end only.
        best_metric: Decides which checkpoint is the best; higher is better.
        patience: Evaluations without a better metric before training stops;
            0: never stops.
        min_delta: Least gain that counts as better.
        average: Evaluate the moving averages of the weights.
    """

    num_steps: int
    log_every: int = 100
    save_every: int = 1000
    keep: int = 0
    evaluate_every: int = 1000
    best_metric: str = "DetectionBoxes_Precision/mAP"
    patience: int = 0
    min_delta: float = 0.0
    average: bool = False


@dataclasses.dataclass
class Outcome:
    """What a training did.

    Args:
        step: Updates done in all, in earlier runs too.
        reason: Why it ended: "done", "early stopping" or "interrupted".
        metrics: Of the last evaluation; {} without one.
        losses: Of the last steps, by the original's names.
        seconds: Of training, without evaluation and saving, this time.
        images_per_second: In training, this time.
        waiting: Share of these seconds spent waiting for data, 0 to 1.
        resumed: Whether it went on from a checkpoint.
    """

    step: int
    reason: str = "done"
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    losses: dict[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    images_per_second: float = 0.0
    waiting: float = 0.0
    resumed: bool = False
