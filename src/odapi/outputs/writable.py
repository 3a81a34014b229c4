"""Probes whether an output can be written, before any work is done for it."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from odapi.errors import OdapiError, OutputError
from odapi.files import Pathlike, unfinished_path


def probe_folder(folder: Pathlike) -> None:
    """Tries to write into a folder, which may not exist yet; leaves no trace.

    Raises:
        OutputError: The folder cannot be made, or no file can be written into it.
    """
    path = pathlib.Path(folder)
    with refused_paths(path):
        if os.path.lexists(path) and not path.is_dir():
            raise OutputError(shown_path(path), "is a file; a folder is needed")
        _write_probe(path / "probe")


def probe_file(file: Pathlike) -> None:
    """Tries to write a file beside its final name; leaves no trace.

    Raises:
        OutputError: The file cannot be written.
    """
    path = pathlib.Path(file)
    with refused_paths(path):
        _write_probe(path)


@contextlib.contextmanager
def refused_paths(path: Pathlike) -> Iterator[None]:
    """Refuses paths that name no file; makes errors of the system `OutputError`."""
    _refuse_names_of_shells(path)
    try:
        yield
    except OdapiError:
        raise
    except (OSError, ValueError) as problem:
        raise unwritable_output(path, problem) from problem


def _refuse_names_of_shells(path: Pathlike) -> None:
    """Raises `OutputError` for "~/..." that no shell expanded, and for "-"."""
    first = pathlib.Path(path).parts[:1]
    if first and first[0].startswith("~"):
        full = os.path.expanduser(path)
        hint = "" if full == os.fspath(path) else f"write {shown_path(full)}"
        problem = "'~' is not expanded in output paths"
        raise OutputError(shown_path(path), problem, hint=hint)
    if os.fspath(path) == "-":
        raise OutputError(
            "-",
            "outputs are not written to standard output",
            hint="choose a file name; --json prints results",
        )


def unwritable_output(path: Pathlike, problem: OSError | ValueError) -> OutputError:
    """Returns the error for an output path that the system refuses."""
    place = shown_path(path)
    hint = "choose a folder that exists or can be made, and that you may write to"
    if isinstance(problem, OSError):
        reason = problem.strerror or str(problem)
        file = _file_above(pathlib.Path(path))
        if file is not None:
            return OutputError(place, f"cannot be written: {file} is a file", hint)
        return OutputError(place, f"cannot be written: {reason}", hint)
    return OutputError(place, f"cannot be written: the path is invalid: {problem}")


def shown_path(path: Pathlike) -> str:
    """Returns a path for a message, with control characters as escapes."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in os.fspath(path)
    )


def _write_probe(file: pathlib.Path) -> None:
    """Writes and deletes a temporary file, and the folders made for it."""
    made: list[pathlib.Path] = []
    probe = unfinished_path(file)
    try:
        for folder in _missing(file.parent):
            folder.mkdir()
            made.append(folder)
        with open(probe, "xb"):
            pass
    finally:
        with contextlib.suppress(OSError, ValueError):
            probe.unlink(missing_ok=True)
        for folder in reversed(made):
            with contextlib.suppress(OSError):  # Another process may use it already.
                folder.rmdir()


def _missing(folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the folders that must be made, the outermost first."""
    missing = []
    while not os.path.lexists(folder) and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    return missing[::-1]


def _file_above(path: pathlib.Path) -> pathlib.Path | None:
    """Returns the file that stands where the path needs a folder, if any."""
    for parent in path.parents:
        if os.path.lexists(parent):
            return None if os.path.isdir(parent) else parent
    return None
