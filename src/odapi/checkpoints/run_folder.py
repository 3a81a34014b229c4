"""Config and label maps in the folder of a run; files of the user there are kept."""

import pathlib
import shutil
from collections.abc import Callable

from odapi.files import move_into_place, unfinished_path
from odapi.outputs.kinds import RUN, older_kind
from odapi.outputs.marker import (
    Marker,
    Signature,
    is_unchanged,
    read_marker,
    signature,
    write_marker,
)


def mark_run(folder: pathlib.Path) -> None:
    """Makes the folder of a run and marks it, before its first file is written."""
    folder.mkdir(parents=True, exist_ok=True)
    if read_marker(folder) is None:
        is_older = older_kind(folder) is not None
        write_marker(folder, Marker(RUN.name, None if is_older else {}))


def write_run_metadata(
    folder: pathlib.Path, write_metadata: Callable[[pathlib.Path], None]
) -> list[pathlib.Path]:
    """Writes config and label maps of a run, and marks the folder as a run.

    Args:
        folder: The folder of the run; made if needed.
        write_metadata: Writes the files into a folder.

    Returns:
        Files that the user put there or changed, with other content. They are kept;
        the run's are beside its checkpoints.
    """
    mark_run(folder)
    marker = read_marker(folder)
    files: dict[str, Signature] = {}
    if marker is not None and marker.files is not None:
        files.update(marker.files)
    kept = []
    writing = unfinished_path(folder / "metadata")
    writing.mkdir()
    try:
        write_metadata(writing)
        for new in sorted(writing.iterdir()):
            target = folder / new.name
            if not target.exists() or _is_ours(target, marker):
                files[new.name] = signature(new)
                write_marker(folder, Marker(RUN.name, files))
                move_into_place(new, target)
            elif target.read_bytes() != new.read_bytes():
                kept.append(target)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
    write_marker(folder, Marker(RUN.name, files))
    return kept


def _is_ours(file: pathlib.Path, marker: Marker | None) -> bool:
    """Returns whether odapi wrote a file of a run, which was not changed since."""
    if marker is not None and marker.files is not None:
        written = marker.files.get(file.name)
        return written is not None and is_unchanged(file, written)
    # Runs of versions without marker files: checkpoints have the same files.
    copies = file.parent.glob(f"checkpoints/step-*/{file.name}")
    return any(copy.read_bytes() == file.read_bytes() for copy in copies)
