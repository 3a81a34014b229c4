"""Search spaces: config fields and the ranges or choices of their values.

    train_config.optimizer...learning_rate=log(1e-4, 1e-1)
    model.ssd.box_predictor...num_layers_before_predictor=int(1, 4)
    train_config.batch_size=choice(8, 16, 32)

Several paths, separated by commas, get the same value.
"""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from odapi.errors import ConfigError, did_you_mean
from odapi.wording import counted

Value = float | int | str

LOG, UNIFORM, INT, LOGINT, CHOICE = "log", "uniform", "int", "logint", "choice"
_FORMS = {
    LOG: "log(LOW, HIGH)",
    UNIFORM: "uniform(LOW, HIGH[, STEP])",
    INT: "int(LOW, HIGH[, STEP])",
    LOGINT: "logint(LOW, HIGH)",
    CHOICE: "choice(A, B, ...)",
}
_WHOLE, _LOGARITHMIC, _STEPPED = (INT, LOGINT), (LOG, LOGINT), (UNIFORM, INT)
_SPEC = re.compile(r"\s*(\w+)\s*\((.*)\)\s*", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One searched value, and the config fields that get it.

    Args:
        paths: Config paths, such as "train_config.batch_size".
        kind: "log", "uniform", "int", "logint" or "choice".
        low, high: Bounds, both included; 0 for choices.
        step: Distance of the values; 0: any. Whole numbers have 1.
        choices: Values as texts, as for `--set`.
    """

    paths: tuple[str, ...]
    kind: str
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    choices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name in the study: the paths."""
        return ",".join(self.paths)

    @property
    def is_whole(self) -> bool:
        """True if the values are whole numbers."""
        return self.kind in _WHOLE

    @property
    def is_logarithmic(self) -> bool:
        """True if the logarithm of the values is distributed uniformly."""
        return self.kind in _LOGARITHMIC

    @property
    def text(self) -> str:
        """The parameter as on the command line."""
        if self.kind == CHOICE:
            return f"{self.name}=choice({', '.join(self.choices)})"
        bounds = [self.low, self.high]
        if self.step and not (self.is_whole and self.step == 1):
            bounds.append(self.step)
        return f"{self.name}={self.kind}({', '.join(map(self.value_text, bounds))})"

    def extremes(self) -> tuple[Value, ...]:
        """Returns the values at the ends of the range, or all choices."""
        if self.kind == CHOICE:
            return self.choices
        return tuple(dict.fromkeys((self._number(self.low), self._number(self.high))))

    def overrides(self, value: Value) -> list[str]:
        """Returns the config overrides that set a value."""
        return [f"{path}={self.value_text(value)}" for path in self.paths]

    def value_text(self, value: Value) -> str:
        """Returns a value as text: numbers with 7 digits, as the schema has them."""
        if isinstance(value, str):
            return value
        return str(int(value)) if self.is_whole else f"{value:.7g}"

    def _number(self, value: float) -> Value:
        return int(value) if self.is_whole else value


def parse_space(texts: Iterable[str]) -> tuple[Parameter, ...]:
    """Returns the parameters of a search.

    Raises:
        ConfigError: A text has another form, a range is empty, or a path is in two.
    """
    parameters = tuple(parse_parameter(text) for text in texts)
    if not parameters:
        raise ConfigError(
            "--search",
            "is missing: there is nothing to search",
            hint="such as --search 'train_config.batch_size=choice(8, 16)'",
        )
    paths = [path for parameter in parameters for path in parameter.paths]
    twice = [path for path in dict.fromkeys(paths) if paths.count(path) > 1]
    if twice:
        raise ConfigError(f"--search {twice[0]}", "is given twice")
    return parameters


def parse_parameter(text: str) -> Parameter:
    """Returns the parameter that `PATH=KIND(...)` describes.

    Raises:
        ConfigError: The text has another form, or a range is empty.
    """
    place = f"--search {text}"
    name, equals, spec = text.partition("=")
    paths = tuple(path.strip() for path in name.split(","))
    found = _SPEC.fullmatch(spec)
    if not equals or not all(paths) or not found:
        raise ConfigError(place, "has another form than PATH=KIND(...)", _forms())
    kind, inner = found[1].lower(), found[2]
    if kind not in _FORMS:
        raise ConfigError(
            place,
            f"unknown kind {kind!r}; known are {', '.join(_FORMS)}",
            did_you_mean(kind, _FORMS) or _forms(),
        )
    values = _split(inner)
    if kind == CHOICE:
        return _choice(place, paths, values)
    return _range(place, paths, kind, values)


def sampled_overrides(
    space: Sequence[Parameter], values: Mapping[str, Value]
) -> list[str]:
    """Returns the config overrides of a trial.

    Args:
        space: The parameters.
        values: Values by the names of the parameters.
    """
    return [text for p in space for text in p.overrides(values[p.name])]


def _choice(place: str, paths: tuple[str, ...], values: list[str]) -> Parameter:
    if len(values) < 2 or "" in values:
        raise ConfigError(place, "needs two or more choices", f"as {_FORMS[CHOICE]}")
    if len(set(values)) < len(values):
        raise ConfigError(place, "has a choice twice")
    return Parameter(paths, CHOICE, choices=tuple(values))


def _range(
    place: str, paths: tuple[str, ...], kind: str, values: list[str]
) -> Parameter:
    most = 3 if kind in _STEPPED else 2
    if not 2 <= len(values) <= most:
        number = counted(len(values), "value")
        raise ConfigError(place, f"has {number}", f"as {_FORMS[kind]}")
    numbers = [_number(place, text, kind in _WHOLE) for text in values]
    low, high, step = [*numbers, float(kind in _WHOLE)][:3]
    if low >= high:
        raise ConfigError(place, f"{low:g} is not below {high:g}", "as LOW, HIGH")
    if kind in _LOGARITHMIC and low <= 0:
        other = UNIFORM if kind == LOG else INT
        raise ConfigError(
            place,
            f"{low:g} has no logarithm",
            f"choose a low end above 0, or {_FORMS[other]}",
        )
    if step < 0 or step > high - low or (len(values) == 3 and not step):
        raise ConfigError(place, f"the step {step:g} does not fit into the range")
    return Parameter(paths, kind, low, high, step)


def _number(place: str, text: str, whole: bool) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ConfigError(place, f"{text!r} is not a number") from None
    if not math.isfinite(number):
        raise ConfigError(place, f"{text!r} is not a finite number")
    if whole and number != int(number):
        raise ConfigError(place, f"{text!r} is not a whole number")
    return number


def _split(text: str) -> list[str]:
    """Returns the parts between commas that are outside of quotes and brackets."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "{[(":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and not depth:
            parts.append("")
            continue
        parts[-1] += character
    return [part.strip() for part in parts]


def _forms() -> str:
    return f"the kinds are {', '.join(_FORMS.values())}"
