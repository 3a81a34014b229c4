"""Catalog of the models of the TF2 Detection Zoo.

Data from the original's g3doc/tf2_detection_zoo.md, tf2_classification_zoo.md and
deepmac.md; times were measured by its authors.
"""

import dataclasses
import functools
import importlib.resources
import json
from collections.abc import Iterable

from odapi.errors import ConfigError, did_you_mean

BASE_URL = "https://download.tensorflow.org/models/object_detection"
TASKS = ("boxes", "keypoints", "masks", "classification")

_FILE = "zoo.json"


@dataclasses.dataclass(frozen=True)
class Model:
    """A model of the zoo.

    Args:
        name: Name of the archive and of the folder in it.
        title: Display name.
        family: For example "EfficientDet".
        path: Path of the archive below the base URL.
        tasks: Members of `TASKS`.
        resolution: Height and width of the training images; None: unknown.
        box_map, mask_map, keypoint_map: COCO mAP in percent; None: not measured.
        speed_ms: Time per image on the authors' machine.
        license: License of the files, if stated.
        note: Further remarks.
    """

    name: str
    title: str
    family: str
    path: str
    tasks: tuple[str, ...]
    resolution: tuple[int, int] | None = None
    box_map: float | None = None
    mask_map: float | None = None
    keypoint_map: float | None = None
    speed_ms: float | None = None
    license: str = ""
    note: str = ""

    def url(self, base: str = BASE_URL) -> str:
        """Returns the URL of the archive."""
        return f"{base.rstrip('/')}/{self.path}"

    def as_dict(self) -> dict:
        """Returns the known fields, for JSON."""
        known = dataclasses.asdict(self) | {"url": self.url()}
        return {k: v for k, v in known.items() if v not in (None, "")}


@functools.lru_cache(maxsize=1)
def models() -> tuple[Model, ...]:
    """Returns all models, detectors first."""
    file = importlib.resources.files("odapi.zoo") / "facts" / _FILE
    facts = json.loads(file.read_text("utf-8"))
    return tuple(
        Model(
            **row
            | {"tasks": tuple(row["tasks"]), "license": facts["license"]}
            | ({"resolution": tuple(row["resolution"])} if "resolution" in row else {})
        )
        for row in facts["models"]
    )


def find(name: str) -> Model:
    """Returns the model of a name, with or without ".tar.gz".

    Raises:
        ConfigError: There is no such model.
    """
    wanted = name.rstrip("/").removesuffix(".tar.gz")
    by_name = {m.name: m for m in models()}
    if wanted in by_name:
        return by_name[wanted]
    # The display name is accepted as well.
    titles = {m.title.lower(): m for m in models()}
    if wanted.lower() in titles:
        return titles[wanted.lower()]
    meant = did_you_mean(wanted.lower(), [*by_name, *titles])
    raise ConfigError(
        name,
        "is not a model of the zoo",
        hint=meant or "list names: odapi zoo list",
    )


def select(family: str = "", task: str = "", resolution: str = "") -> tuple[Model, ...]:
    """Returns the models that match all filters.

    Args:
        family: Part of a family name, case-insensitive.
        task: One of `TASKS`.
        resolution: For example "640" or "800x1333".

    Raises:
        ConfigError: A filter matches no model; with the known values.
    """
    found = models()
    if family:
        found = _matching(found, "--family", family, lambda m: [m.family])
    if task:
        found = _matching(found, "--task", task, lambda m: m.tasks)
    if resolution:
        found = _matching(found, "--resolution", resolution, _sizes)
    return found


def size_text(model: Model) -> str:
    """Returns the resolution as text, for example "640x640"."""
    return "x".join(map(str, model.resolution)) if model.resolution else ""


def _sizes(model: Model) -> list[str]:
    square = model.resolution and len(set(model.resolution)) == 1
    return [size_text(model), *([str(model.resolution[0])] if square else [])]  # type: ignore[index]


def _matching(found: tuple[Model, ...], option: str, wanted: str, of) -> tuple:
    known = {value for m in models() for value in of(m) if value}
    plain = _plain(wanted)
    exact = option != "--family"
    chosen = {
        v for v in known if plain == _plain(v) or (not exact and plain in _plain(v))
    }
    if not chosen:
        raise ConfigError(
            option,
            f"{wanted!r} matches no model; known are {', '.join(_ordered(known))}",
            hint=did_you_mean(wanted, known),
        )
    return tuple(m for m in found if chosen & set(of(m)))


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _ordered(known: Iterable[str]) -> list[str]:
    return sorted(
        known, key=lambda v: (len(v.split("x")[0]) if v[0].isdigit() else 0, v)
    )
