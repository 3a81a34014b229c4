"""Output folders: what lies there, what may be replaced, and what was written.

A folder is written if it is new or empty, or if odapi wrote it for the same purpose:
the marker file in it lists the files, and only these are replaced. Everything else is
refused before any work, with what lies there and the name of a new folder.
"""

import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

from odapi.errors import OutputError
from odapi.files import Pathlike
from odapi.outputs.kinds import KINDS, Kind, matches, older_kind
from odapi.outputs.marker import (
    MARKER,
    Marker,
    is_unchanged,
    read_marker,
    signatures,
    write_marker,
)
from odapi.outputs.writable import probe_folder, refused_paths, shown_path
from odapi.wording import first_names

_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")
_MAX_NAMES = 5


class OutputFolder:
    """An output folder that was checked; nothing is written before `begin`.

    Args:
        path: The folder.
        kind: What is written into it.

    Raises:
        OutputError: The folder has files that odapi did not write for this purpose, or
            cannot be written.
    """

    def __init__(self, path: Pathlike, kind: Kind):
        self.path = pathlib.Path(path)
        self.kind = kind
        self._before: list[pathlib.Path] = []
        with refused_paths(self.path):
            _check_content(self.path, kind)
        probe_folder(self.path)

    def begin(self) -> pathlib.Path:
        """Makes the folder, marks it as unfinished, and returns its path.

        Raises:
            OutputError: The folder cannot be written.
        """
        with refused_paths(self.path):
            self._before = list(_files(self.path, self.kind))
            self.path.mkdir(parents=True, exist_ok=True)
        write_marker(self.path, Marker(self.kind.name))
        return self.path

    def finish(self, files: Iterable[Pathlike] | None = None) -> None:
        """Marks the folder as complete; deletes files of the output it replaced.

        Args:
            files: The files that were written, also into other folders; None: all
                that are there.

        Raises:
            OutputError: The folder cannot be written.
        """
        with refused_paths(self.path):
            if files is None:
                written = list(_files(self.path, self.kind))
            else:
                paths = (pathlib.Path(file) for file in files)
                written = [p for p in paths if p.is_relative_to(self.path)]
            for file in set(self._before) - set(written):
                file.unlink(missing_ok=True)
            found = signatures(self.path, (f for f in written if f.is_file()))
        write_marker(self.path, Marker(self.kind.name, found))


def check_folder(path: Pathlike, kind: Kind) -> pathlib.Path:
    """Checks an output folder before any work, and returns its path.

    Raises:
        OutputError: As for `OutputFolder`.
    """
    return OutputFolder(path, kind).path


def find_marker(folder: pathlib.Path) -> Marker | None:
    """Returns the marker of a folder; None if odapi did not write the folder."""
    marker, older = read_marker(folder), older_kind(folder)
    if marker is None and older is not None:
        return Marker(older.name)
    return marker


def new_place(path: Pathlike) -> pathlib.Path:
    """Returns an unused folder with a similar name, to name it in a hint."""
    path = pathlib.Path(path)
    if not path.name or path.name == "..":
        path = path / "odapi"
        if not os.path.lexists(path):
            return path
    return unused_name(path, path.name, "")


def unused_name(path: pathlib.Path, stem: str, suffix: str) -> pathlib.Path:
    """Returns the first unused path beside another: `stem`, a number and `suffix`."""
    number = 2
    while os.path.lexists(path.with_name(f"{stem}-{number}{suffix}")):
        number += 1
    return path.with_name(f"{stem}-{number}{suffix}")


def listing(folder: pathlib.Path, names: Sequence[str]) -> str:
    """Returns the entries of a folder for a message, checkpoints first."""
    shown = [f"{n}/" if (folder / n).is_dir() else n for n in names]
    indices = sorted(folder.glob("*.index")) + sorted(folder.glob("checkpoint/*.index"))
    text = first_names(map(shown_path, shown), _MAX_NAMES)
    if not indices:
        return f": {text}"
    last = indices[-1].relative_to(folder).with_suffix("").as_posix()
    return f", a TensorFlow checkpoint among them ({last}): {text}"


def _check_content(folder: pathlib.Path, kind: Kind) -> None:
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        what = "a file" if folder.exists() else "a broken link"
        raise _refused(folder, f"is {what}; {kind.noun} is a folder")
    marker, entries = find_marker(folder), _entries(folder, kind)
    if not entries:
        return
    if marker is None:
        raise _refused(
            folder, f"has files that odapi did not write{listing(folder, entries)}"
        )
    if marker.kind != kind.name:
        raise _refused(
            folder,
            f"is {_noun(marker.kind)} that odapi wrote; "
            f"{kind.noun} needs its own folder",
        )
    if not kind.continued:
        _check_ours(folder, kind, marker)


def _check_ours(folder: pathlib.Path, kind: Kind, marker: Marker) -> None:
    """Checks that a folder of odapi has nothing of the user that would be replaced."""
    if not kind.replaced:
        what = "wrote" if marker.files is not None else "began to write"
        raise _refused(folder, f"is {kind.noun} that odapi {what}, which is kept")
    foreign, changed = _not_ours(folder, kind, marker)
    parts = []
    if foreign:
        parts.append(f"files that odapi did not write{listing(folder, foreign)}")
    if changed:
        names = first_names(map(shown_path, changed), _MAX_NAMES)
        parts.append(f"files that were changed since odapi wrote them: {names}")
    if parts:
        raise _refused(folder, "has " + "; ".join(parts))


def _refused(folder: pathlib.Path, problem: str) -> OutputError:
    return OutputError(
        shown_path(folder),
        problem,
        hint=f"choose a new folder, such as {shown_path(new_place(folder))}",
    )


def _noun(name: str) -> str:
    return KINDS[name].noun if name in KINDS else "another output"


def _entries(folder: pathlib.Path, kind: Kind) -> list[str]:
    """Returns the names of what is in a folder; hidden files are never replaced."""
    names = sorted(os.listdir(folder))
    names = [n for n in names if n not in (MARKER, *_SYSTEM_FILES)]
    if not kind.whole:
        names = [n for n in names if not n.startswith(".")]
    return [n for n in names if not _is_harmless(folder / n, kind)]


def _is_harmless(path: pathlib.Path, kind: Kind) -> bool:
    """Returns whether an entry is a kept file, or a folder without files."""
    if path.is_symlink():
        return False
    if path.is_dir():
        return all(p.is_dir() and not p.is_symlink() for p in path.rglob("*"))
    return matches(path.name, kind.kept)


def _not_ours(
    folder: pathlib.Path, kind: Kind, marker: Marker
) -> tuple[list[str], list[str]]:
    """Returns files that odapi did not write, and those changed since."""
    foreign, changed = [], []
    for file in _files(folder, kind):
        name = file.relative_to(folder).as_posix()
        if marker.files is None:
            if file.is_symlink() or not kind.has_file(name):
                foreign.append(name)
        elif name not in marker.files:
            foreign.append(name)
        elif not is_unchanged(file, marker.files[name]):
            changed.append(name)
    return foreign, changed


def _files(folder: pathlib.Path, kind: Kind) -> Iterator[pathlib.Path]:
    """Yields the files, and the links to folders, in the parts of an output."""
    for root, folders, names in os.walk(folder):
        here = pathlib.Path(root)
        if here == folder:
            folders[:] = [n for n in folders if matches(n, kind.parts)]
            names = [n for n in names if matches(n, kind.parts) and n != MARKER]
        links = [n for n in folders if (here / n).is_symlink()]
        for name in sorted([*names, *links]):
            if name not in _SYSTEM_FILES and not name.startswith(".writing-"):
                yield here / name
