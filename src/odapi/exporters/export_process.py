"""Export from a program whose Keras runs on a backend that cannot export.

Keras has one backend per process: a second Python process exports the same checkpoint.
"""

import dataclasses
import json
import os
import subprocess
import sys
from typing import Any

from odapi.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    ExportError,
    OdapiError,
    OutputError,
)
from odapi.exporters.exported import Exported, exported_of

_ERRORS: dict[str, type[OdapiError]] = {
    kind.__name__: kind
    for kind in (CheckpointError, ConfigError, DataError, ExportError, OutputError)
}
_RESULT_MARK = "odapi-export-result:"


def export_in_process(
    arguments: dict[str, Any], backend: str = "tensorflow"
) -> Exported:
    """Runs `odapi.export(**arguments)` in a process with another Keras backend.

    Raises:
        OdapiError: As raised by `odapi.export`.
        RuntimeError: The process failed with another error; with its last lines.
    """
    done = subprocess.run(
        [sys.executable, "-m", "odapi.exporters.export_process"],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        env=os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    for line in done.stdout.splitlines():
        if line.startswith(_RESULT_MARK):
            return _result(json.loads(line.removeprefix(_RESULT_MARK)))
    last = "\n".join(done.stderr.splitlines()[-20:])
    raise RuntimeError(f"the export failed with exit code {done.returncode}:\n{last}")


def _result(answer: dict[str, Any]) -> Exported:
    if "error" in answer:
        kind = _ERRORS.get(answer["error"], OdapiError)
        raise kind(answer["place"], answer["problem"], answer["hint"])
    return exported_of(answer)


def main() -> None:
    """Reads arguments from standard input, exports, and prints the result as JSON."""
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
    # On a marked line of its own: libraries may print, too.
    sys.stdout.write(f"\n{_RESULT_MARK}{json.dumps(answer, default=os.fspath)}\n")


if __name__ == "__main__":
    main()
