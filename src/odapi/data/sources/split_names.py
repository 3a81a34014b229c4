"""Names of splits: spellings of the same one, and the files that carry them."""

import itertools
import pathlib
import re

from odapi.errors import DataError

_SHOWN = 5  # Files that an error names.

# Names of the same split.
SYNONYMS = (
    ("train", "training"),
    ("val", "valid", "validation"),
    ("test", "testing"),
)


def synonyms(split: str) -> tuple[str, ...]:
    """Returns the names of a split, `split` itself first.

    >>> synonyms("val")
    ('val', 'valid', 'validation')
    >>> synonyms("night")
    ('night',)
    """
    group = next((names for names in SYNONYMS if split.lower() in names), ())
    return tuple(dict.fromkeys((split, *group)))


def some_files(folder: pathlib.Path, ending: str) -> str:
    """Returns the names of a few files in a folder and its subfolders."""
    below = (folder.glob(f"{place}*{ending}") for place in ("", "*/"))
    found = list(itertools.islice(itertools.chain(*below), _SHOWN + 1))
    names = [file.relative_to(folder).as_posix() for file in found]
    return ", ".join(sorted(names[:_SHOWN])) + (", ..." if names[_SHOWN:] else "")


def files_of_split(folder: pathlib.Path, ending: str, split: str) -> list[pathlib.Path]:
    """Returns the annotation files of a split, which they or their folder name.

    `instances_val2017.json` and `val/data.json` are of the split "val", but
    `trainval.json` is not.

    Args:
        folder: The dataset; its subfolders `annotations` and of the split's name are
            searched, too.
        ending: Of the files, such as ".json".
        split: The split, in any case and by any of its synonyms; "" means all files.
    """
    for name in synonyms(split):
        end = r"(?!\d)" if name[-1:].isdigit() else "(?![a-z])"
        word = re.compile(rf"(?<![a-z]){re.escape(name)}{end}", re.IGNORECASE)
        below = [name] if name else []
        found = [
            file
            for place in ("", "annotations", *below)
            for file in sorted((folder / place).glob(f"*{ending}"))
            if not split or place in below or word.search(file.stem)
        ]
        if found:
            return found
    return []


def no_folder(path: pathlib.Path, takes: str) -> DataError:
    """Returns the error for a path that is not the folder of a dataset."""
    if path.is_file():
        return DataError(str(path), "is a file, not a folder", hint=takes)
    return neither_file_nor_folder(path)


def neither_file_nor_folder(path: pathlib.Path) -> DataError:
    """Returns the error for a path that is missing, a device, or a pipe."""
    there = (
        "is neither a file nor a folder" if path.exists() else "no such file or folder"
    )
    return DataError(str(path), there)
