"""Layout of YOLO datasets: images, splits, class names and keypoints."""

import dataclasses
import pathlib
import re
from collections.abc import Iterator, Sequence

from odapi.data.numbers import is_whole
from odapi.data.sources.files import image_files
from odapi.data.sources.listing import forget, names_in, similar_name, walk
from odapi.data.sources.split_names import SYNONYMS
from odapi.data.sources.yolo_keypoints import KeypointShape, keypoint_shape
from odapi.data.sources.yolo_names import MAX_CLASSES, NAME_FILES, class_names
from odapi.data.sources.yolo_paths import PathFinder, SplitPaths, listed_images
from odapi.data.sources.yolo_yaml import KEYS, SPLITS, DataFile, read_data_file
from odapi.errors import DataError, did_you_mean
from odapi.files import read_file

Path = pathlib.Path

_TEST = 2  # Its place in `SYNONYMS`.

_DESCRIPTION = re.compile(rb"^(train|val|valid|test|names)\s*:", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Layout of a dataset or of one split.

    Args:
        name: For messages.
        root: The root folder of the dataset.
        folders: Folders of images.
        listed: Images that a list file names.
        names: Names of the classes by number; empty if the layout has none.
        num_classes: Number of classes that the dataset states; 0 if unknown.
        keypoints: The keypoints of objects, or None.
        are_polygons: Whether it states that its lines are polygons.
        is_whole: Whether it contains all splits.
        missing: Splits without images that were left out, for messages.
    """

    name: str
    root: Path
    folders: tuple[Path, ...] = ()
    listed: tuple[Path, ...] = ()
    names: Sequence[str] = ()
    num_classes: int = 0
    keypoints: KeypointShape | None = None
    are_polygons: bool = False
    is_whole: bool = True
    missing: tuple[str, ...] = ()


def read_layout(path: Path, split: str | None, images: Path | None) -> Layout:
    """Finds the layout of a dataset.

    Args:
        path: A `data.yaml` or `obj.data`, or the folder of the dataset.
        split: Name of a split, or None for all.
        images: Folder of the images, or None for those of the layout.

    Raises:
        DataError: There is no such file or folder, or no such split, or the
            description of the dataset is malformed.
    """
    if not path.exists():
        raise DataError(str(path), "no such file or folder")
    forget()  # Files may have been added since the last source.
    file = path if path.is_file() else _data_file_in(path)
    if file is not None:
        return _described(read_data_file(file), split, images)
    layout = _of_folder(path, split, images)
    # The folder of a split, or its images: the classes are described above.
    place = path.resolve()
    is_inner = "images" in (place.name.lower(), place.parent.name.lower())
    above = [folder / "data.yaml" for folder in place.parents[: 1 + is_inner]]
    file = next((f for f in above if f.is_file()), None)
    if file is None or any(name in names_in(path) for name in NAME_FILES):
        return layout
    content = read_data_file(file)
    if not _contains(content, path):
        return layout
    described = _described(content, None, path)
    return dataclasses.replace(
        layout,
        names=described.names,
        num_classes=described.num_classes,
        keypoints=described.keypoints,
        are_polygons=described.are_polygons,
    )


def split_in_data_file(path: Path, part: str) -> str:
    """Returns the name that a description gives to a part; "" if it names none.

    Args:
        path: A `data.yaml` or `obj.data`, or the folder of the dataset.
        part: "train" or "val".

    Raises:
        DataError: The description is malformed.
    """
    found = path if path.is_file() else _data_file_in(path) if path.is_dir() else None
    if found is None:
        return ""
    file = read_data_file(found)
    known = [k for k in file.values if k in SPLITS and file.get(k) not in (None, [])]
    return _matching(part, known) or ""


def _contains(file: DataFile, folder: Path) -> bool:
    """Returns whether a split of a data.yaml has images in or around a folder."""
    finder = PathFinder(file.path.parent, _root(file))
    wanted = folder.resolve()
    for key in SPLITS:
        for value in file.paths(key):
            found = finder.find(value, Path.is_dir)
            place = found.resolve() if found is not None else None
            if place and (place.is_relative_to(wanted) or wanted.is_relative_to(place)):
                return True
    return False


def _data_file_in(folder: Path) -> Path | None:
    """Returns the description file in a folder, or None.

    Raises:
        DataError: There are several.
    """
    names = sorted(names_in(folder))
    suffixes = (".yaml", ".yml")
    files = [folder / n for n in names if n.lower().endswith(suffixes)]
    files = [f for f in files if f.is_file() and not f.name.startswith(".")]
    for file in files:
        if file.stem.lower() in ("data", "dataset"):
            return file
    # Others are settings of programs, such as args.yaml.
    files = [f for f in files if _is_description(f)]
    files = files or [folder / n for n in names if n.endswith(".data")]
    if len(files) > 1:
        raise DataError(
            str(folder),
            f"has several descriptions: {', '.join(f.name for f in files)}",
            hint=f"name the file: yolo:{files[0]}",
        )
    return files[0] if files else None


def _is_description(file: Path) -> bool:
    try:
        return bool(_DESCRIPTION.search(read_file(file)))
    except OSError:
        return True  # Refused when it is read.


def _described(file: DataFile, split: str | None, images: Path | None) -> Layout:
    """Returns the layout that a data.yaml describes."""
    folder = file.path.parent
    root = _root(file)
    finder = PathFinder(folder, root)
    names = class_names(file, finder)
    stated = str(file.get("nc"))
    layout = Layout(
        name=str(file.path) + (f"?split={split}" if split else ""),
        root=root,
        names=names,
        num_classes=min(int(stated), MAX_CLASSES) if is_whole(stated) else 0,
        keypoints=keypoint_shape(file),
        are_polygons=file.get("lines") == "polygons",
        is_whole=split is None and images is None,
    )
    if images is not None:
        given = _given_images(images, (root, folder), layout.name)
        return dataclasses.replace(layout, folders=given)
    folders: list[Path] = []
    listed: list[Path] = []
    missing: list[str] = []
    splits = SplitPaths(finder)
    wanted = _wanted(file, split, finder)
    for key in wanted:
        # Exports name test images also if there are none.
        is_optional = _group(key) == _TEST and split is None and len(wanted) > 1
        for value in file.paths(key):
            try:
                place = splits.resolve(value, file.place(key))
            except DataError as error:
                if not is_optional:
                    raise
                missing.append(f"{error.place} ({value!r})")
                continue
            if place.is_dir():
                folders += _folders_below(place)
            else:
                listed += listed_images(place, finder)
    return dataclasses.replace(
        layout,
        folders=tuple(dict.fromkeys(folders)),
        listed=tuple(dict.fromkeys(listed)),
        missing=tuple(missing),
    )


def _root(file: DataFile) -> Path:
    """Returns the folder that `path` names, else that of the file."""
    folder = file.path.parent
    value = file.get("path")
    if not isinstance(value, str):
        return folder
    finder = PathFinder(folder, folder)
    for place in (value, f"datasets/{value}"):  # Ultralytics downloads to `datasets`.
        found = finder.find(place, Path.is_dir)
        if found is not None:
            return found
    return folder


def _given_images(images: Path, roots: Sequence[Path], name: str) -> tuple[Path, ...]:
    """Returns the folders of the option `images`.

    Raises:
        DataError: There is no such folder.
    """
    places = dict.fromkeys((images, *(root / images for root in roots)))
    for place in places:
        if place.is_dir():
            return tuple(_folders_below(place))
    raise DataError(
        name, f"images={images} is no folder; searched {', '.join(map(str, places))}"
    )


def _wanted(file: DataFile, split: str | None, finder: PathFinder) -> list[str]:
    """Returns the keys of the splits to read: the given one, or all.

    Raises:
        DataError: There is no such split, or none at all.
    """
    known = [key for key in file.values if _is_split(file, key, finder)]
    if split is not None:
        key = _matching(split, known)
        if key is None:
            raise _no_split(str(file.path), split, known)
        return [key]
    usual = [k for k in known if _group(k) is not None]
    if usual or known:
        return usual or known
    keys = ", ".join(file.values)
    raise DataError(
        str(file.path),
        f"names no images: train, val and test are missing; it has {keys}",
        hint="write train: images/train, or give the folder: ?images=DIR",
    )


def _is_split(file: DataFile, key: str, finder: PathFinder) -> bool:
    """Returns whether a key names a split, whose images may be missing."""
    if key in SPLITS:
        return file.get(key) not in (None, [])
    if key in KEYS:
        return False
    value = file.get(key)
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(_is_place(v, finder) for v in values)


def _is_place(value: object, finder: PathFinder) -> bool:
    """Returns whether a text is the path of a list or a folder of images."""
    if not isinstance(value, str) or not value or len(value) > 1000 or "\n" in value:
        return False
    try:
        found = finder.find(value, Path.exists)
    except (OSError, ValueError):  # No name of a file.
        return False
    if found is None or found.name in NAME_FILES:
        return False
    if not found.is_dir():
        return found.suffix.lower() == ".txt"
    # Not a folder of other things, such as the home folder, which may be large.
    inside = any(b.resolve() in found.resolve().parents for b in finder.bases)
    return inside and bool(_folders_below(found))


def _matching(split: str, known: Sequence[str]) -> str | None:
    """Returns the key of a split: its name, in any case, or a synonym."""
    for same in (
        lambda key: key == split,
        lambda key: key.lower() == split.lower(),
        lambda key: _group(key) is not None and _group(key) == _group(split),
    ):
        for key in known:
            if same(key):
                return key
    return None


def _group(name: str) -> int | None:
    return next((i for i, g in enumerate(SYNONYMS) if name.lower() in g), None)


def _no_split(place: str, split: str, known: Sequence[str]) -> DataError:
    return DataError(
        place,
        f"has no split {split!r}; it has {', '.join(known) or 'none'}",
        hint=did_you_mean(split, known),
    )


def _of_folder(root: Path, split: str | None, images: Path | None) -> Layout:
    """Returns the layout of a folder without a data.yaml."""
    name = str(root) + (f"?split={split}" if split else "")
    if images is not None:
        given = _given_images(images, (root,), name)
        return Layout(name, root, given, is_whole=False)
    if split is None:
        base = _below(root, "images")
        folders = _folders_below(base) if base else []
        folders = folders or _folders_below(root)
        if not folders:
            raise DataError(str(root), "has no images, also not in `images`")
        return Layout(name, root, tuple(folders))
    for place in _split_folders(root, split):
        return Layout(name, root, tuple(_folders_below(place)), is_whole=False)
    for suffix in (".txt", ".TXT"):
        file = root / f"{split}{suffix}"
        if file.is_file():
            listed = tuple(listed_images(file, PathFinder(root, root)))
            return Layout(name, root, listed=listed, is_whole=False)
    raise _no_split(str(root), split, _known_splits(root))


def _split_folders(root: Path, split: str) -> Iterator[Path]:
    group = _group(split)
    names = (split, *(SYNONYMS[group] if group is not None else ()))
    for name in dict.fromkeys(names):
        for parts in (("images", name), (name, "images"), (name,)):
            place = _below(root, *parts)
            if place is not None:
                yield place


def _known_splits(root: Path) -> list[str]:
    bases = [b for b in (root, _below(root, "images")) if b is not None]
    below = {f.name for base in bases for f in base.iterdir() if f.is_dir()}
    return sorted(n for n in below if _group(n) is not None)


def _below(root: Path, *names: str) -> Path | None:
    """Returns an existing folder, whose name may have another case."""
    place = root
    for name in names:
        found = similar_name(place, name)
        if found is None:
            return None
        place = place / found
    return place if place.is_dir() else None


def _folders_below(folder: Path) -> list[Path]:
    """Returns the folders with images, the folder itself and all below, sorted."""
    found: list[Path] = []
    for base, folders, _ in walk(folder):
        # Folders of version control, notebooks and macOS archives.
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX")))
        if image_files(base):
            found.append(base)
    return found


def name_folders(layout: Layout, labels: Sequence[Path]) -> Iterator[list[Path]]:
    """Yields folders that may have a file of class names, the nearest ones together.

    Args:
        layout: The dataset.
        labels: Its label files.
    """
    beside = {f.parent for f in labels}
    yield [layout.root, layout.root / "labels", *layout.folders, *sorted(beside)]
    yield sorted({f.parent for f in (*layout.folders, *beside)})
    yield [layout.root.resolve().parent]
