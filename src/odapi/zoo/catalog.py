"""The models of the original's TF2 zoo: what they are, and where they lie.

Facts from the original's g3doc/tf2_detection_zoo.md, tf2_classification_zoo.md and
deepmac.md; times were measured by its authors.
"""

import dataclasses
import functools
import importlib.resources
import json
from collections.abc import Iterable

from odapi.errors import ConfigError, did_you_mean

BASE_URL = "http://download.tensorflow.org/models/object_detection"
TASKS = ("boxes", "keypoints", "masks", "classification")

_FILE = "zoo.json"


@dataclasses.dataclass(frozen=True)
class Model:
    """A model of the zoo.

    Args:
        name: Of its archive, which is also the folder that it unpacks to.
        title: As people call it.
        family: Such as "EfficientDet".
        path: Of the archive under the base address.
        tasks: Of `TASKS`.
        resolution: Height and width that it was trained for; None: not stated.
        box_map, mask_map, keypoint_map: COCO mAP in percent, where measured.
        speed_ms: Of one image, on the authors' machine.
        licence: Of the files, as far as it is stated.
        note: What else there is to know.
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
    licence: str = ""
    note: str = ""

    def url(self, base: str = BASE_URL) -> str:
        """Returns where the archive lies."""
        return f"{base.rstrip('/')}/{self.path}"

    def as_dict(self) -> dict:
        """Returns all that is known, for JSON."""
        known = dataclasses.asdict(self) | {"url": self.url()}
        return {k: v for k, v in known.items() if v not in (None, "")}


@functools.lru_cache(maxsize=1)
def models() -> tuple[Model, ...]:
    """Returns all models, those for detection first."""
    file = importlib.resources.files("odapi.zoo") / "facts" / _FILE
    facts = json.loads(file.read_text("utf-8"))
    return tuple(
        Model(
            **row
            | {"tasks": tuple(row["tasks"]), "licence": facts["licence"]}
            | ({"resolution": tuple(row["resolution"])} if "resolution" in row else {})
        )
        for row in facts["models"]
    )


def find(name: str) -> Model:
    """Returns the model of a name; the ending of its archive may be there.

    Raises:
        ConfigError: There is none.
    """
    wanted = name.rstrip("/").removesuffix(".tar.gz")
    by_name = {m.name: m for m in models()}
    if wanted in by_name:
        return by_name[wanted]
    # What tables show is as good as the name of the archive.
    titles = {m.title.lower(): m for m in models()}
    if wanted.lower() in titles:
        return titles[wanted.lower()]
    meant = did_you_mean(wanted.lower(), [*by_name, *titles])
    raise ConfigError(
        name, "is no model of the zoo", hint=meant or "all names: odapi zoo list"
    )


def select(family: str = "", task: str = "", resolution: str = "") -> tuple[Model, ...]:
    """Returns the models that fit all that is given.

    Args:
        family: Part of a family's name, in any case.
        task: Of `TASKS`.
        resolution: Such as "640" or "800x1333".

    Raises:
        ConfigError: A choice is unknown; says which there are.
    """
    found = models()
    if family:
        found = _fitting(found, "--family", family, lambda m: [m.family])
    if task:
        found = _fitting(found, "--task", task, lambda m: m.tasks)
    if resolution:
        found = _fitting(found, "--resolution", resolution, _sizes)
    return found


def size_text(model: Model) -> str:
    """Returns the resolution as people write it, such as "640x640"."""
    return "x".join(map(str, model.resolution)) if model.resolution else ""


def _sizes(model: Model) -> list[str]:
    square = model.resolution and len(set(model.resolution)) == 1
    return [size_text(model), *([str(model.resolution[0])] if square else [])]  # type: ignore[index]


def _fitting(found: tuple[Model, ...], option: str, wanted: str, of) -> tuple:
    known = {value for m in models() for value in of(m) if value}
    plain = _plain(wanted)
    exact = option != "--family"
    chosen = {
        v for v in known if plain == _plain(v) or (not exact and plain in _plain(v))
    }
    if not chosen:
        raise ConfigError(
            option,
            f"{wanted!r} fits no model; there are {', '.join(_ordered(known))}",
            hint=did_you_mean(wanted, known),
        )
    return tuple(m for m in found if chosen & set(of(m)))


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _ordered(known: Iterable[str]) -> list[str]:
    return sorted(
        known, key=lambda v: (len(v.split("x")[0]) if v[0].isdigit() else 0, v)
    )
