"""Checks of whole datasets before the first step of a training."""

from collections.abc import Sequence
from typing import NamedTuple

from odapi.data.image_copies import Fingerprints, find_copies, find_shared
from odapi.data.set_checks import SetFinding, check_set
from odapi.data.sources.base import BaseSource
from odapi.data.survey import Survey, bounded_survey, check_evaluation
from odapi.errors import DataError
from odapi.training.messages import print_lines


class Surveys(NamedTuple):
    """Facts about the training and the evaluation data; None if they are unknown."""

    train: Survey | None = None
    evaluation: Survey | None = None


def check_data(
    train: BaseSource,
    evaluation: BaseSource | None = None,
    allow: Sequence[str] = (),
) -> Surveys:
    """Prints warnings about whole datasets, and refuses one that teaches nothing.

    Reads at most some thousand images of each.

    Args:
        train: The training data.
        evaluation: The evaluation data; None if there is none, or if it is known to be
            the training data.
        allow: Names of checks that are turned off.

    Returns:
        The facts that were found, for further checks.

    Raises:
        DataError: Nothing can be learned from the training data.
    """
    prints = Fingerprints(train, is_bounded=True)
    surveyed = bounded_survey(train)
    found = check_set(surveyed)
    found += find_copies(train, prints)
    for finding in found:
        if finding.check in allow:
            continue
        if finding.is_error:
            raise _refused(train, finding)
        _warn("training data", finding)
    if evaluation is None:
        return Surveys(surveyed)
    evaluated = bounded_survey(evaluation)
    found = check_evaluation(evaluated)
    found += find_shared(prints, Fingerprints(evaluation, is_bounded=True))
    for finding in found:
        if finding.check not in allow:
            _warn("evaluation data", finding)
    return Surveys(surveyed, evaluated)


def _warn(name: str, finding: SetFinding) -> None:
    print_lines(f"warning: {name}: {finding} [{finding.check}]")


def _refused(source: BaseSource, finding: SetFinding) -> DataError:
    steps = [
        finding.hint,
        "look at the objects: odapi data inspect",
        f"to train anyway: --set options.data_loading.allow={finding.check}",
    ]
    return DataError(source.name, finding.problem, "; ".join(filter(None, steps)))
