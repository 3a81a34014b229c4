"""Builds the model and the optimizer of configs, and reports the fields they read.

A process of its own does it, `python -m odapi.tuning.field_reads`: the search holds no
memory of an accelerator. Standard input has a JSON list of config texts; standard
output gets one JSON object.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from odapi.config import parse, schema
from odapi.config.load import Config
from odapi.errors import ConfigError, OdapiError
from odapi.tuning.search_space import Parameter
from odapi.tuning.space_checks import base_configs, field_of

_MODEL = ("model.", "options.batch_norm_decay", "options.roi_align")
_OPTIMIZER = ("train_config.optimizer.",)
_LAST_LINES = 5


def check_reads(config: Config, space: Sequence[Parameter]) -> None:
    """Checks that building the model or the optimizer reads each searched field.

    Fields of other parts of the config are left to `check_space`.

    Raises:
        ConfigError: A field is not read with this config, or the model cannot be built
            with all fields at their lowest or at their highest values.
    """
    paths = [path for parameter in space for path in parameter.paths]
    built = [path for path in paths if path.startswith(_MODEL + _OPTIMIZER)]
    if not built:
        return
    _, lowest, highest = base_configs(config, space)
    read = set(_reads([lowest, highest], any(p.startswith(_MODEL) for p in built)))
    for path in built:
        if schema.key(field_of(path)) not in read:
            raise ConfigError(
                f"--search {path}",
                "has no effect: nothing reads it when this config's model and "
                "optimizer are built",
                hint="search a field of the parts that the config uses: odapi config "
                "show CONFIG --defaults lists them",
            )


def _reads(configs: list[Config], with_model: bool) -> list[str]:
    texts = [parse.to_text(config) for config in configs]
    done = subprocess.run(
        [sys.executable, "-m", "odapi.tuning.field_reads", *["--model"] * with_model],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        last = "\n".join(done.stderr.splitlines()[-_LAST_LINES:])
        raise ConfigError("--search", f"the model cannot be built: {last}") from None
    if "problem" in answer:
        raise ConfigError(
            "--search",
            f"with all fields at their {answer['which']} values: {answer['problem']}",
            answer["hint"],
        )
    return answer["read"]


def _build(texts: list[str], with_model: bool) -> dict[str, Any]:
    from odapi.runtime import backend

    backend.load()
    from odapi.build.detector import build_detector
    from odapi.build.optimizer import build_optimizer
    from odapi.config.load import load_config
    from odapi.config.view import record_reads

    read: set[str] = set()
    for which, text in zip(("lowest", "highest"), texts, strict=True):
        try:
            with record_reads() as names:
                config = load_config(text)
                build_optimizer(config)
                if with_model:
                    build_detector(config)
        except OdapiError as error:
            problem = f"{error.place}: {error.problem}"
            return {"which": which, "problem": problem, "hint": error.hint}
        read |= names
    return {"read": sorted(read)}


if __name__ == "__main__":
    made = _build(json.load(sys.stdin), "--model" in sys.argv)
    sys.stdout.write(json.dumps(made) + "\n")
