"""Sources with image files, and the search for these files."""

import os
import pathlib
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from odapi.data.problems import Problems
from odapi.data.sources.base import BaseSource, Raw
from odapi.data.sources.listing import forget, names_in, similar_path
from odapi.errors import DataError
from odapi.fields import IMAGE_CLASSES, REQUIRED
from odapi.files import IMAGE_SUFFIXES, is_image_file, read_image_file
from odapi.labels import LabelMap
from odapi.wording import counted

Path = pathlib.Path

_HEAD = 1 << 16  # Bytes that hold the header of nearly every image.


class FileSource(BaseSource):
    """A source with annotations in memory and one image file per sample.

    Args:
        entries: Pairs of annotations and image path.
        keys: Optional fields; None means those of any entry.
        load_masks: Whether samples get masks if the annotations have them.
    """

    def __init__(
        self,
        name: str,
        label_map: LabelMap,
        entries: Sequence[tuple[Raw, Path]],
        problems: Problems,
        keys: Iterable[str] | None = None,
        load_masks: bool = True,
    ):
        if keys is None:
            keys = _keys(raw for raw, _ in entries)
        keys = set(keys) - (set() if load_masks else {"masks"})
        points = (r.objects["keypoints"] for r, _ in entries if "keypoints" in keys)
        super().__init__(
            name,
            label_map,
            problems,
            keys,
            max((p.shape[1] for p in points), default=0),
        )
        if not entries:
            reasons = [f"{p.kind}: {p.count} ({p.first[0]})" for p in problems]
            problems.found("empty dataset", name)
            raise DataError(name, "has no usable image", "; ".join(reasons))
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def image_ids(self) -> list[str]:
        """The id of each sample, in their order."""
        return [raw.image_id for raw, _ in self._entries]

    def raw(self, index: int) -> Raw:
        """Returns the annotations as the files have them."""
        return self._entries[index][0]

    def path(self, index: int) -> Path:
        """Returns the path of the image."""
        return self._entries[index][1]

    def image_path(self, index: int) -> Path | None:
        """Returns the path of the image."""
        return self.path(index)

    def encoded(self, index: int) -> bytes:
        """Returns the image file's bytes; raises DataError if it is missing."""
        return self._read(index, -1)

    def load_head(self, index: int) -> tuple[Raw, bytes]:
        """Returns the annotations and the beginning of the image file."""
        return self.raw(index), self._read(index, _HEAD)

    def _read(self, index: int, size: int) -> bytes:
        path = self.path(index)
        try:
            return read_image_file(path, size)
        except OSError as error:
            problem = error.strerror or str(error)
            raise DataError(str(path), f"cannot be read: {problem}") from error


def _keys(raws: Iterable[Raw]) -> set[str]:
    keys: set[str] = set()
    for raw in raws:
        keys |= raw.objects.keys()
        if raw.mask_of and any(raw.mask_of):
            keys.add("masks")
    return keys - {*REQUIRED, *IMAGE_CLASSES}


class ImageFinder:
    """Finds image files by the names in annotations, in several folders.

    Args:
        folders: Folders to search, in order.
    """

    def __init__(self, folders: Sequence[Path]):
        self.folders = list(dict.fromkeys(folders))
        forget()  # Files may have been added since the last source.

    def find(self, name: str, beside: Path | None = None) -> Path | None:
        """Returns the path of an image by file name, path, or name without suffix.

        Args:
            name: Name in the annotation.
            beside: Folder of the annotation, searched first.
        """
        relative = name.replace("\\", "/")
        folders = self.folders if beside is None else [beside, *self.folders]
        for folder in folders:
            path = folder / relative
            if path.name in names_in(path.parent):
                return path
        base = relative.rsplit("/", 1)[-1]
        for folder in folders:
            if base != relative and base in names_in(folder):
                return folder / base
        return self._by_stem(base) or self._by_spelling(folders, relative, base)

    def _by_stem(self, base: str) -> Path | None:
        """Finds `x.png` for `x` or `x.jpg`, since tools convert and rename."""
        stem, suffix = os.path.splitext(base)
        if suffix.lower() not in IMAGE_SUFFIXES:
            stem = base
        for folder in self.folders:
            names = names_in(folder)
            for end in IMAGE_SUFFIXES:
                for candidate in (stem + end, stem + end.upper()):
                    if candidate in names:
                        return folder / candidate
        return None

    def _by_spelling(
        self, folders: Sequence[Path], relative: str, base: str
    ) -> Path | None:
        """Finds names that differ by URL encoding, Unicode normalization or case."""
        stem, suffix = os.path.splitext(base)
        if suffix.lower() not in IMAGE_SUFFIXES:
            stem = base
        converted = [stem + end for end in IMAGE_SUFFIXES]
        for wanted in dict.fromkeys((relative, unquote(relative), base, *converted)):
            for folder in folders:
                path = similar_path(folder, wanted)
                if path is not None and path.is_file():
                    return path
        return None

    def looked_in(self) -> str:
        """Returns the searched folders, for messages."""
        return ", ".join(
            f"{f}" + ("" if f.is_dir() else " (no such folder)") for f in self.folders
        )


def check_missing(
    name: str, missing: Sequence[str], total: int, finder: ImageFinder, skip: bool
) -> None:
    """Raises an error if more than half of the images are missing.

    Args:
        name: Name of the source.
        missing: Names of the missing images.
        total: Number of annotated images.
        finder: The finder that searched for them.
        skip: Whether the user asked to continue anyway.

    Raises:
        DataError: More than half are missing, which suggests a wrong folder; or all
            are.
    """
    if not missing or 2 * len(missing) <= total or (skip and len(missing) < total):
        return
    first = ", ".join(list(missing)[:3])
    raise DataError(
        name,
        f"{len(missing)} of {counted(total, 'image')} are missing, such as {first}; "
        f"searched {finder.looked_in()}",
        hint="give the folder: ?images=DIR; or ?missing=skip to continue without them",
    )


def image_files(folder: Path) -> list[Path]:
    """Returns the image files in a folder, sorted by name."""
    names = sorted(names_in(folder))
    return [folder / n for n in names if is_image_file(n)]


def unique_id(wanted: str, taken: set[str], problems: Problems) -> str:
    """Returns `wanted`, with a suffix if it is in `taken`, and adds it to `taken`."""
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}#{count}"
    if name != wanted:
        problems.found("duplicate id", f"{wanted}, now {name}")
    taken.add(name)
    return name
