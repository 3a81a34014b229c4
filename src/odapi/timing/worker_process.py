"""A `worker` process, from the side that gives commands."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any, Self

from odapi.errors import CheckpointError
from odapi.timing.worker import MARK

_LINES_OF_ERROR = 15


class WorkerProcess:
    """Times one model in a process of its own.

    Args:
        path: Of the model.
        images: A .npz file with images.
        cores: CPU cores that the process may use.

    Raises:
        CheckpointError: The path is no model, or it cannot be run.
    """

    def __init__(self, path: pathlib.Path, images: pathlib.Path, cores: int):
        self.path = path
        self._log = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "odapi.timing.worker", str(cores), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        try:
            self.loaded: dict[str, float] = self.ask(images=str(images))
        except BaseException:
            self.close()
            raise

    def ask(self, **command: Any) -> Any:
        """Sends a command and returns the answer.

        Raises:
            CheckpointError: The model cannot be run, or the process ended.
        """
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise CheckpointError(str(self.path), "its process has no pipes")
        try:
            process.stdin.write(json.dumps(command) + "\n")
            process.stdin.flush()
        except BrokenPipeError:  # It ended; the log says why.
            process.stdin.close()
        for line in process.stdout:
            if line.startswith(MARK):
                answer = json.loads(line.removeprefix(MARK))
                if "error" in answer:
                    raise CheckpointError(*answer["error"])
                return answer
        self._log.seek(0)
        last = "".join(self._log.readlines()[-_LINES_OF_ERROR:])
        code = process.wait()
        raise CheckpointError(str(self.path), f"ended with exit code {code}:\n{last}")

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process."""
        self.close()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()  # Closes the pipes.
        self._log.close()
