"""Files of a Pascal VOC dataset: XML files, the list of a split, images."""

import collections
import itertools
import os
import pathlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from odapi.data.problems import Problems
from odapi.data.sources.files import ImageFinder, image_files, unique_id
from odapi.data.sources.listing import spelling, walk
from odapi.data.sources.split_names import synonyms
from odapi.errors import DataError
from odapi.files import IMAGE_SUFFIXES, is_image_file, read_text

Path = pathlib.Path

# In any case; the first that has XML files is read.
_ANNOTATION_FOLDERS = ("annotations", "xmls", "labels")
_IMAGE_FOLDERS = ("JPEGImages", "images", "Images", "imgs")
_IMAGE_NAMES = {name.lower() for name in _IMAGE_FOLDERS}

# Lists of one class have 1 (present), -1 (absent) or 0 (difficult) after the name.
_FLAG = re.compile(r"\s+(?:1|-1|0)$")


def find_xml_files(root: Path, problems: Problems) -> list[Path]:
    """Returns the XML files of a dataset, folder by folder, sorted by name.

    Args:
        root: The folder. If it has a folder `Annotations`, only that one is read.
        problems: Counts XML files that are not read.

    Raises:
        DataError: There are no XML files.
    """
    found = [
        folder / name
        for folder, names in _walk(root)
        for name in sorted(names)
        if name.lower().endswith(".xml")
    ]
    if not found:
        raise DataError(str(root), "has no XML files; its subfolders were searched")
    for name in _ANNOTATION_FOLDERS:
        inside = [_below(root, f).parts[0].lower() == name for f in found]
        if any(inside):
            for file in itertools.compress(found, [not i for i in inside]):
                problems.found("annotation elsewhere", _below(root, file).as_posix())
            return list(itertools.compress(found, inside))
    return found


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yields folders and their file names; hidden ones are left out."""
    for folder, folders, names in walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        yield folder, [n for n in names if not n.startswith(".")]


def _below(root: Path, file: Path) -> Path:
    return file.relative_to(root)


def _place(root: Path, file: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the folders above and below the annotation folder of an XML file.

    `train/Annotations/day/1.xml` lies in `train` and, within the annotations, in
    `day`.
    """
    folders = _below(root, file).parent.parts
    named = [f.lower() in _ANNOTATION_FOLDERS for f in folders]
    if not any(named):
        return (), folders
    end = len(named) - named[::-1].index(True)
    start = end - 1
    while start and named[start - 1]:
        start -= 1
    return folders[:start], folders[end:]


def ids_of(root: Path, files: Iterable[Path], problems: Problems) -> dict[str, Path]:
    """Returns XML files by id: the path below `Annotations`, without suffix."""
    taken: set[str] = set()
    ids = {}
    for file in files:
        head, tail = _place(root, file)
        wanted = "/".join((*head, *tail, file.stem))
        ids[unique_id(wanted, taken, problems)] = file
    return ids


def read_split(root: Path, split: str) -> tuple[Path, list[str] | None]:
    """Returns the folder of a split, and the lines of its list if it has one.

    Raises:
        DataError: There is no such list or folder, or the list is not text.
    """
    files = find_xml_files(root, Problems())
    for name in synonyms(split):
        for folder in (root / "ImageSets" / "Main", root / "ImageSets", root):
            file = folder / f"{name}.txt"
            if file.is_file():
                lines = read_text(file).split("\n")
                return root, [line for line in lines if line.strip()]
        if any(n.lower().endswith(".xml") for _, ns in _walk(root / name) for n in ns):
            return root / name, None
        below = [f for f in files if name in _place(root, f)[1][:1]]
        if below:  # `Annotations/train`, as there may be `JPEGImages/train`.
            return root, list(ids_of(root, below, Problems()))
    lists = (*root.glob("ImageSets/Main/*.txt"), *root.glob("ImageSets/*.txt"))
    places = [_place(root, f) for f in files]
    folders = {(*head, *tail)[0] for head, tail in places if (*head, *tail)}
    known = {f.stem for f in lists} | folders
    raise DataError(
        str(root),
        f"has no split {split!r}; it has {', '.join(sorted(known)) or 'none'}",
        hint="a split is a list ImageSets/Main/NAME.txt or a folder NAME; "
        "`odapi data split` makes them",
    )


class ListedNames:
    """Finds the XML files that the lines of a list name.

    A line is an id, with folders above it or a suffix, and maybe a flag behind it.

    Args:
        ids: The ids of all XML files.
    """

    def __init__(self, ids: Iterable[str]):
        ids = list(ids)
        self._tables = [_Ids(ids, _normal), _Ids(ids, spelling)]

    def find(self, line: str) -> str | None:
        """Returns the id that a line names, or None."""
        bare = line.strip()
        for ids in self._tables:
            # The whole line comes first: a name may have spaces, and end with " 1".
            for text in (line, bare, _FLAG.sub("", bare)):
                for name in (text, _without_suffix(text)):
                    found = ids.find(name)
                    if found is not None:
                        return found
        return None


class _Ids:
    """Ids by a form of their names; the ambiguous ones are left out."""

    def __init__(self, ids: Sequence[str], form: Callable[[str], str]):
        counts = collections.Counter(form(i) for i in ids)
        self._form = form
        self._ids = {form(i): i for i in ids if counts[form(i)] == 1}
        self._flat = not any("/" in i for i in self._ids)
        self._by_name: dict[str, list[str]] = collections.defaultdict(list)
        for text in self._ids:
            self._by_name[text.rsplit("/", 1)[-1]].append(text)

    def find(self, name: str) -> str | None:
        parts = self._form(name.replace("\\", "/")).split("/")
        parts = [p for p in parts if p not in ("", ".")]
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            if tail in self._ids and self._may_drop(parts, start):
                return self._ids[tail]
        # XML files may lie deeper than the list says, if that is unambiguous.
        same = self._by_name.get(parts[-1], []) if parts else []
        deeper = [i for i in same if i.endswith("/" + "/".join(parts))]
        return self._ids[deeper[0]] if len(deeper) == 1 else None

    def _may_drop(self, parts: Sequence[str], start: int) -> bool:
        """Returns whether the folders before `start` do not matter."""
        if not start or self._flat or len(parts) - start > 1:
            return True
        return parts[start - 1].lower() in {*_IMAGE_NAMES, *_ANNOTATION_FOLDERS}


def _normal(name: str) -> str:
    # macOS stores names in another Unicode form than lists have.
    return unicodedata.normalize("NFC", name)


def _without_suffix(name: str) -> str:
    """Removes a suffix of an image or XML file, but no other dot."""
    stem, suffix = os.path.splitext(name)
    return stem if is_image_file(name) or suffix.lower() == ".xml" else name


class VocImages:
    """Finds the image of each XML file.

    The image with the name of the XML file is preferred, since LabelImg pairs them by
    name and tools that cut or rename images leave an old `<filename>`.

    Args:
        root: The folder that is read.
        top: The folder of the dataset; above `root` for a split that is a folder.
        files: All XML files by id.
        images: Folder of the images; None searches the usual places.
    """

    def __init__(
        self,
        root: Path,
        top: Path,
        files: Mapping[str, Path],
        images: str | Path | None,
    ):
        self._root = root
        self._given = images is not None
        if images is not None:
            self._folders = [top / images, Path(images)]
        else:
            near = [f / name for f in (root, top) for name in (*_IMAGE_FOLDERS, "")]
            self._folders = list(dict.fromkeys(near))
        parents = sorted({f.parent for f in files.values()})
        self.finder = ImageFinder([*self._folders, *(() if self._given else parents)])
        self._images: dict[Path, dict[str, Path]] = {}
        self._places: dict[Path, list[Path]] = {}
        self._owners: dict[Path, str] = {}
        self._own: dict[str, Path] = {}
        for image_id, file in files.items():
            own = self._named_alike(file)
            if own and self._owners.setdefault(own, image_id) == image_id:
                self._own[image_id] = own

    def find(
        self, image_id: str, file: Path, filename: str, problems: Problems
    ) -> Path | None:
        """Returns the image of an XML file, or None.

        Args:
            image_id: Id of the XML file.
            file: The XML file.
            filename: The name of the image that it contains, or "".
            problems: Counts a name that belongs to another image.
        """
        exact = self._exactly(file, filename)
        if exact is not None:  # True of nearly every image.
            return exact
        named = self.finder.find(filename, file.parent) if filename else None
        own = self._own.get(image_id)
        if own is None:
            return named or self.finder.find(file.stem, file.parent)
        if named and spelling(named.stem) != spelling(own.stem):
            problems.found("file name of another image", f"{image_id} ({filename})")
        return own

    def owner(self, image: Path) -> str | None:
        """Returns the id of the XML file that has the name of an image, or None."""
        return self._owners.get(image)

    def without_annotation(self, used: Iterable[Path]) -> list[Path]:
        """Returns the images beside the used ones that no XML file names."""
        taken = {*used, *self._owners}
        folders = {p.parent for p in taken}
        above = folders | {parent for folder in folders for parent in folder.parents}
        for folder in self._folders:
            if folder in above and (self._given or folder.name in _IMAGE_FOLDERS):
                folders |= {inside for inside, _ in _walk(folder)}
        return [f for d in sorted(folders) for f in image_files(d) if f not in taken]

    def _exactly(self, file: Path, filename: str) -> Path | None:
        """Returns the image if `filename` is the name of the XML file and a suffix."""
        name = filename.replace("\\", "/").rsplit("/", 1)[-1]
        if spelling(os.path.splitext(name)[0]) != spelling(file.stem):
            return None
        return self._first(file, [name])

    def _named_alike(self, file: Path) -> Path | None:
        # Some tools name the annotation of `a.jpg` `a.jpg.xml`.
        return self._first(file, [file.stem, _without_suffix(file.stem)])

    def _first(self, file: Path, names: Sequence[str]) -> Path | None:
        """Returns the first image of one of the names, without suffix or with it."""
        tables = [self._images_in(folder) for folder in self._places_of(file)]
        for form in (_normal, spelling):
            for name in map(form, names):
                for images in tables:
                    if name in images:
                        return images[name]
        return None

    def _places_of(self, file: Path) -> list[Path]:
        """Returns the folders that may hold the image of an XML file, in order."""
        if file.parent not in self._places:
            head, tail = _place(self._root, file)
            above = self._root.joinpath(*head)
            tops = [*self._folders]
            if head and not self._given:
                tops += [above / name for name in _IMAGE_FOLDERS]
            places = [] if self._given else [file.parent]
            for inside in dict.fromkeys(((*head, *tail), tail, ())):
                places += [t.joinpath(*inside) for t in tops]
            # Beside XML files in a folder of their own lie masks, if anything.
            if file.parent != above.joinpath(*tail):
                places.append(places.pop(0))
            known = dict.fromkeys(places)
            self._places[file.parent] = [p for p in known if self._images_in(p)]
        return self._places[file.parent]

    def _images_in(self, folder: Path) -> dict[str, Path]:
        """Returns the images in a folder, by name and by name without suffix."""
        if folder not in self._images:
            files = image_files(folder)
            # JPEG takes precedence over masks in PNG.
            files.sort(key=lambda f: IMAGE_SUFFIXES.index(f.suffix.lower()))
            images: dict[str, Path] = {}
            for form in (_normal, spelling):
                for file in files:
                    images.setdefault(form(file.stem), file)
                for file in files:
                    images.setdefault(form(file.name), file)
            self._images[folder] = images
        return self._images[folder]
