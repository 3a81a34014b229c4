"""Layout of YOLO datasets: images, labels and class names."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from odapi.data.sources.files import image_files
from odapi.data.sources.yaml_subset import read_yaml
from odapi.errors import DataError
from odapi.files import is_image_file

Path = pathlib.Path

_SPLITS = ("train", "val", "valid", "test")
_NAME_FILES = ("classes.txt", "obj.names", "labels.txt", "classes.names")


@dataclasses.dataclass(frozen=True)
class Layout:
    """Layout of a dataset or of one split.

    Args:
        name: For messages.
        root: The root folder of the dataset.
        folders: Folders of images.
        listed: Images that a list file names.
        names: Names of the classes by number; empty if unknown.
        keypoints: Keypoints per object and values per keypoint (2 or 3), or None.
    """

    name: str
    root: Path
    folders: tuple[Path, ...]
    listed: tuple[Path, ...] = ()
    names: Sequence[str] = ()
    keypoints: tuple[int, int] | None = None

    def label_of(self, image: Path) -> Path | None:
        """Returns the txt file of an image, or None."""
        for folder in self._label_folders(image):
            file = folder / f"{image.stem}.txt"
            if file.is_file():
                return file
        return None

    def _label_folders(self, image: Path) -> Iterator[Path]:
        parts = list(image.parent.parts)
        for i in reversed(range(len(parts))):
            if parts[i] == "images":
                yield Path(*parts[:i], "labels", *parts[i + 1 :])
                break
        yield image.parent
        yield self.root / "labels" / image.parent.name
        yield self.root / "labels"

    def all_labels(self) -> list[Path]:
        """Returns all label files below the root, sorted."""
        files = self.root.rglob("*.txt")
        lists = {"train.txt", "val.txt", "test.txt", "valid.txt", *_NAME_FILES}
        return sorted(f for f in files if f.name not in lists)

    def labels_without(self, images: Sequence[Path]) -> list[Path]:
        """Returns the label files without an image, in the folders of others."""
        used = {f for f in map(self.label_of, images) if f is not None}
        folders = sorted({f.parent for f in used})
        stems = {p.stem for p in images} | {Path(n).stem for n in _NAME_FILES}
        stems |= {*_SPLITS, "README", "README.roboflow", "README.dataset"}
        return [
            f
            for folder in folders
            for f in sorted(folder.glob("*.txt"))
            if f not in used and f.stem not in stems
        ]


def read_layout(path: Path, split: str | None, images: Path | None) -> Layout:
    """Finds the layout of a dataset.

    Raises:
        DataError: There is no such file or folder, or no such split.
    """
    if not path.exists():
        raise DataError(str(path), "no such file or folder")
    yaml = path if path.is_file() else _yaml_in(path)
    layout = _of_yaml(yaml, split) if yaml else _of_folder(path, split)
    if images is not None:
        given = images if images.is_dir() else layout.root / images
        layout = dataclasses.replace(layout, folders=(given,), listed=())
    return layout


def _yaml_in(folder: Path) -> Path | None:
    files = sorted(folder.glob("*.yaml")) + sorted(folder.glob("*.yml"))
    for file in files:
        if file.stem in ("data", "dataset") or len(files) == 1:
            return file
    return None


def _of_yaml(file: Path, split: str | None) -> Layout:
    content = read_yaml(file)
    root = file.parent
    if isinstance(content.get("path"), str):
        base = Path(content["path"])
        root = next((p for p in (root / base, base) if p.is_dir()), root)
    known = [s for s in _SPLITS if content.get(s)]
    wanted = _wanted(split, known, str(file))
    folders: list[Path] = []
    listed: list[Path] = []
    for name in wanted:
        values = content[name]
        for value in values if isinstance(values, list) else [values]:
            place = _resolve(root, str(value), file)
            if place.is_dir():
                folders.append(place)
            else:
                listed += _listed(place, root)
    return Layout(
        name=str(file) + (f"?split={split}" if split else ""),
        root=root,
        folders=tuple(dict.fromkeys(folders)),
        listed=tuple(dict.fromkeys(listed)),
        names=_names(content.get("names"), file),
        keypoints=_keypoints(content.get("kpt_shape"), file),
    )


def _wanted(split: str | None, known: Sequence[str], place: str) -> list[str]:
    """Returns the splits to read: the given one, or all."""
    if split is None and known:
        return list(known)
    same = {"val": "valid", "valid": "val", "validation": "val"}
    for name in (split, same.get(split or "")):
        if name in known:
            return [name] if name else []
    raise DataError(
        place,
        f"has no split {split!r}; it has {', '.join(known) or 'none'}"
        if split
        else "names no images: train, val and test are missing",
    )


def _resolve(root: Path, value: str, file: Path) -> Path:
    """Returns the existing path that a yaml file refers to."""
    value = value.replace("\\", "/")
    bare = value
    while bare.startswith("../"):  # Paths of Roboflow are relative to a subfolder.
        bare = bare[3:]
    for place in (root / value, file.parent / value, root / bare, Path(value)):
        if place.exists():
            return place
    raise DataError(
        str(file),
        f"{value!r} does not exist; searched {root} and {file.parent}",
        hint="correct `path`, or the paths of the splits",
    )


def _listed(file: Path, root: Path) -> list[Path]:
    lines = (line.strip() for line in file.read_text("utf-8-sig").splitlines())
    paths = [Path(line) for line in lines if line]
    return [
        next(
            (q for q in (file.parent / p, root / p, p) if q.is_file()), file.parent / p
        )
        for p in paths
    ]


def _names(names: Any, file: Path) -> list[str]:
    if isinstance(names, list):
        return [str(n) for n in names]
    if isinstance(names, dict):
        numbers = [int(k) for k in names if str(k).isdigit()]
        if len(numbers) != len(names):
            raise DataError(str(file), f"names must be numbered, got {names}")
        by_number = {int(k): str(v) for k, v in names.items()}
        return [by_number.get(i, f"class {i}") for i in range(max(numbers) + 1)]
    return []


def _keypoints(shape: Any, file: Path) -> tuple[int, int] | None:
    if shape is None:
        return None
    if not isinstance(shape, list) or len(shape) != 2 or shape[1] not in (2, 3):
        raise DataError(str(file), f"kpt_shape must be [count, 2 or 3], got {shape}")
    return int(shape[0]), int(shape[1])


def _of_folder(root: Path, split: str | None) -> Layout:
    folders = _image_folders(root, split)
    if not folders:
        known = sorted(
            {s for s in _SPLITS for f in (root / "images" / s, root / s) if f.is_dir()}
        )
        raise DataError(
            str(root),
            f"has no split {split!r}; it has {', '.join(known) or 'none'}"
            if split
            else "has no images, also not in `images`",
        )
    names: list[str] = []
    for folder in (root, root / "labels", root.parent, *folders):
        for file in (folder / name for name in _NAME_FILES):
            if file.is_file() and not names:
                lines = file.read_text("utf-8-sig").splitlines()
                names = [line.strip() for line in lines if line.strip()]
    name = str(root) + (f"?split={split}" if split else "")
    return Layout(name, root, tuple(folders), names=names)


def _image_folders(root: Path, split: str | None) -> list[Path]:
    if split:
        for folder in (root / "images" / split, root / split / "images", root / split):
            if folder.is_dir():
                return [folder]
        return []
    for folder in (root / "images", root):
        if image_files(folder):
            return [folder]
    return sorted(
        {f.parent for f in root.rglob("*") if is_image_file(f) and f.is_file()}
    )
