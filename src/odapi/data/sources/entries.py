"""Annotated images of a dataset while it is opened: found, missing, or named twice."""

import pathlib

from odapi.data.problems import Problems
from odapi.data.sources.base import Raw
from odapi.data.sources.classes import ClassIndex
from odapi.data.sources.files import FileSource, ImageFinder, check_missing
from odapi.labels import LabelMap

Path = pathlib.Path


class ImageEntries:
    """Pairs of annotations and image files, each image once.

    Args:
        name: Of the source, for messages.
        finder: Finds the images.
        problems: Counts missing images, and those of two annotations.
    """

    def __init__(self, name: str, finder: ImageFinder, problems: Problems):
        self.name = name
        self.finder = finder
        self.problems = problems
        self._entries: dict[Path, Raw] = {}
        self._missing: list[str] = []

    def find(self, image: str, beside: Path | None = None) -> Path | None:
        """Returns the path of an image that has no annotations yet, or None.

        Args:
            image: Name in the annotation.
            beside: Folder of the annotation, searched first.
        """
        path = self.finder.find(image, beside)
        if path is None:
            self._missing.append(image)
            self.problems.found("missing image", image)
            return None
        if path in self._entries:
            owner = self._entries[path].image_id
            where = f"{image} ({path.name}, the image of {owner})"
            self.problems.found("image of two annotations", where)
            return None
        return path

    def __contains__(self, path: Path) -> bool:
        return path in self._entries

    def add(self, path: Path, raw: Raw) -> None:
        """Adds the annotations of an image that `find` has returned."""
        self._entries[path] = raw

    def source(
        self,
        label_map: LabelMap,
        index: ClassIndex,
        skip_missing: bool,
        load_masks: bool = True,
        kind: type[FileSource] = FileSource,
    ) -> FileSource:
        """Returns the source, after a check of classes and images.

        Args:
            label_map: The classes.
            index: The lookup of classes, which has collected unknown ones.
            skip_missing: Whether to continue if more than half of the images are
                missing.
            load_masks: Whether samples get masks.
            kind: The class of the source.

        Raises:
            DataError: A class is unknown, most images are missing, or there is none.
        """
        index.check()
        total = len(self._missing) + len(self._entries)
        check_missing(self.name, self._missing, total, self.finder, skip_missing)
        pairs = [(raw, path) for path, raw in self._entries.items()]
        return kind(self.name, label_map, pairs, self.problems, None, load_masks)
