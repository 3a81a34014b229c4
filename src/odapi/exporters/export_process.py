"""Exporting from a program that runs Keras on JAX or torch.

Keras takes one backend a process: a second Python process does the export on
TensorFlow, from the same checkpoint.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

from odapi.errors import CheckpointError, ConfigError, DataError, OdapiError
from odapi.exporters.verify import ExportError

_ERRORS: dict[str, type[OdapiError]] = {
    kind.__name__: kind
    for kind in (CheckpointError, ConfigError, DataError, ExportError)
}
_MARK = "odapi-export-result:"


def export_in_process(arguments: dict[str, Any]) -> dict[str, Any]:
    """Runs `odapi.export(**arguments)` on TensorFlow; returns what was `Exported`.

    Raises:
        OdapiError: As `odapi.export` raises.
        RuntimeError: The process died of something else; with its last lines.
    """
    done = subprocess.run(
        [sys.executable, "-m", "odapi.exporters.export_process"],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    for line in done.stdout.splitlines():
        if line.startswith(_MARK):
            return _result(json.loads(line.removeprefix(_MARK)))
    last = "\n".join(done.stderr.splitlines()[-20:])
    raise RuntimeError(f"the export ended with exit code {done.returncode}:\n{last}")


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        kind = _ERRORS.get(answer["error"], OdapiError)
        raise kind(answer["place"], answer["problem"], answer["hint"])
    paths = ("folder", "checkpoint")
    return answer | {name: pathlib.Path(answer[name]) for name in paths}


def main() -> None:
    """Exports what standard input says, and tells the result on standard output."""
    from odapi.exporters.export import export

    arguments = json.load(sys.stdin)
    try:
        answer = dataclasses.asdict(export(**arguments))
    except OdapiError as error:
        answer = {
            "error": type(error).__name__,
            "place": error.place,
            "problem": error.problem,
            "hint": error.hint,
        }
    sys.stdout.write(f"\n{_MARK}{json.dumps(answer, default=os.fspath)}\n")


if __name__ == "__main__":
    main()
