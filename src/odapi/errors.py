"""Errors that name the place, the value, what is allowed and the next step."""

import difflib
from collections.abc import Iterable

from odapi.wording import shortened, visible

_LONGEST = 3000  # Characters of a place or a problem in a message.


class OdapiError(ValueError):
    """A mistake that the user can mend.

    Args:
        place: Where it is: a config path, a file with its line, an image id.
        problem: What is wrong, with the value and what is allowed.
        hint: The next step.
    """

    def __init__(self, place: str, problem: str, hint: str = ""):
        # Names and values in files may be long, and have control characters.
        text = f"{shortened(place, _LONGEST)}: {shortened(problem, _LONGEST)}"
        super().__init__(visible(text + (f"\n  hint: {hint}" if hint else "")))
        self.place = place
        self.problem = problem
        self.hint = hint


class ConfigError(OdapiError):
    """A pipeline config asks for something that cannot be built."""


class DataError(OdapiError):
    """A data set, a record, an image or an annotation cannot be used."""


class CheckpointError(OdapiError):
    """A checkpoint cannot be read, or does not fit the model."""


class DivergedError(OdapiError):
    """A loss or a weight became NaN, infinite or absurdly large during training."""


class ClusterError(OdapiError):
    """The processes of a training cannot reach each other, differ, or one has ended."""


class ExportError(OdapiError):
    """An exported model computes different outputs than the detector."""


class OutputError(OdapiError):
    """An output cannot be written, or its place has files that odapi did not write."""


class MissingPackageError(OdapiError, ImportError):
    """A feature needs a package that is not installed.

    Args:
        feature: What needs it.
        package: Its name.
        extra: The extra of odapi that installs it.
        otherwise: What can be done instead.
    """

    def __init__(self, feature: str, package: str, extra: str, otherwise: str = ""):
        install = f'pip install "odapi[{extra}]"'
        super().__init__(
            feature,
            f"needs the package {package!r}, which is not installed",
            hint=f"{install}, or {otherwise}" if otherwise else install,
        )


def unknown_choice(
    place: str,
    got: str,
    known: Iterable[str],
    error: type[OdapiError] = ConfigError,
) -> OdapiError:
    """Returns the error for a name that is not in a table of known names."""
    known = sorted(known)
    return error(
        place,
        f"unknown value {got!r}; known values are {', '.join(known)}",
        hint=did_you_mean(got, known),
    )


def did_you_mean(got: str, known: Iterable[str]) -> str:
    """Returns "did you mean ...?" for the name closest to `got`, or "" if none is."""
    close = difflib.get_close_matches(got, sorted(known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""
