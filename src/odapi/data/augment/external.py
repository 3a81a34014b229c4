"""Augmentations of other libraries, such as Albumentations, as augmentations of odapi.

No such library is a dependency: the transform is an object that the user made.
"""

import copy
import importlib
import random
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from odapi.data.augment import external_boxes as formats
from odapi.data.augment.augmentation import PlainAugmentation
from odapi.data.sample import Sample, keep_objects
from odapi.fields import FIELDS, Motion
from odapi.wording import counted

OBJECTS, KEYPOINTS = "object_ids", "keypoint_ids"
# Coordinates that other libraries do not move.
_UNMOVED = tuple(
    f.name
    for f in FIELDS.values()
    if f.motion in (Motion.POINT, Motion.OFFSET) and f.name != "keypoints"
)
# Without a seed of its own, a transform takes random numbers from global generators.
_GLOBAL_SEED = threading.Lock()


def from_albumentations(transform: Callable[..., Any]) -> PlainAugmentation:
    """Returns an augmentation of Albumentations, or a callable like it, for training.

        import albumentations as A

        steps = A.Compose([A.RandomRotate90(), A.MotionBlur(p=0.2)])
        odapi.train(config, "runs/first",
                    augmentations=[odapi.from_albumentations(steps)])

    Boxes, masks and keypoints move with the image. Objects whose box is missing from
    the result are dropped with all their fields. Random numbers come from those of the
    sample, so that a resumed training draws the same.

    Args:
        transform: A transform or a Compose of any version of Albumentations, whose
            `bbox_params` and `keypoint_params` are used if it has them, or any callable
            that is called and answers in the same way, with pixels:
            `transform(image=, bboxes=, object_ids=, masks=, keypoints=, keypoint_ids=)`
            -> dict; boxes are x_min, y_min, x_max, y_max; keypoints are x, y, where
            (0, 0) is the center of the first pixel. Ids are returned for the boxes and
            keypoints that are kept, masks for all objects. Masks and keypoints are only
            given if the dataset has them.

    Raises:
        TypeError: It is no callable.
        ValueError: Its boxes or keypoints have an unknown format.
    """
    if not callable(transform):
        raise TypeError(f"a transform must be callable, got {transform!r}")
    return PlainAugmentation(ExternalTransform(transform))


class ExternalTransform:
    """A function `(sample, rng) -> sample` on plain arrays that calls a transform.

    Args:
        transform: See `from_albumentations`.
    """

    def __init__(self, transform: Callable[..., Any]):
        self.transform = _with_formats(transform)
        self._local = threading.local()
        self.boxes = _Target(self.transform, "bboxes", OBJECTS, formats.BOX_FORMATS)
        self.keypoints = _Target(
            self.transform, "keypoints", KEYPOINTS, formats.KEYPOINT_FORMATS
        )

    def __reduce__(self):
        return ExternalTransform, (self.transform,)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Returns the transformed sample.

        Raises:
            ValueError: The sample has coordinates that the transform cannot move, or
                the transform returns something else than it should.
        """
        for name in _UNMOVED:
            if name in sample and len(sample["boxes"]):
                raise ValueError(f"cannot move {name}; use augmentations of odapi")
        sides = sample["boxes"][:, 2:] - sample["boxes"][:, :2]
        # Boxes without area are errors for Albumentations.
        sample = keep_objects(sample, (sides > 0).all(axis=1))
        given = self._arguments(sample)
        made = self._run(given, int(rng.integers(1 << 31)))
        if not isinstance(made, dict) or "image" not in made:
            raise ValueError("the transform must return a dict with 'image'")
        return self._result(sample, given, made)

    def _arguments(self, sample: Sample) -> dict[str, Any]:
        size = sample["image"].shape[:2]
        boxes = np.clip(sample["boxes"], 0, 1)
        rows = formats.write_boxes(boxes, size, self.boxes.form)
        given = {
            "image": sample["image"],
            **self.boxes.arguments(rows, np.arange(len(boxes))),
        }
        if len(boxes) and "masks" in sample:
            given["masks"] = list(sample["masks"])
        if "keypoints" in sample:
            points = sample["keypoints"].reshape(-1, 2)
            known = np.flatnonzero(np.isfinite(points).all(axis=1))
            rows = formats.write_keypoints(points[known], size, self.keypoints.form)
            given |= self.keypoints.arguments(rows, known)
        return given

    def _result(self, sample: Sample, given: Sample, made: dict[str, Any]) -> Sample:
        size = made["image"].shape[:2]
        boxes, kept = self.boxes.result(made)
        changed = keep_objects(sample, kept)
        changed |= {
            "image": made["image"],
            "boxes": formats.read_boxes(boxes, size, self.boxes.form),
        }
        if "masks" in given:
            masks = made.get("masks", ())
            if len(masks) != len(sample["boxes"]):
                raise ValueError(
                    f"returned {counted(len(masks), 'mask')} for "
                    f"{counted(len(sample['boxes']), 'object')}"
                )
            shown = [np.asarray(masks[i], np.uint8) for i in kept]
            changed["masks"] = np.stack(shown) if shown else np.zeros((0, *size), "u1")
        elif "masks" in sample:
            changed["masks"] = np.zeros((0, *size), np.uint8)
        if "keypoints" in sample:
            changed |= self._moved_keypoints(sample, made, size, kept)
        return changed

    def _moved_keypoints(
        self, sample: Sample, made: dict[str, Any], size: Any, kept: np.ndarray
    ) -> Sample:
        points, ids = self.keypoints.result(made)
        moved = np.full(sample["keypoints"].shape, np.nan, np.float32)
        flat = moved.reshape(-1, 2)
        flat[ids] = formats.read_keypoints(points, size, self.keypoints.form)
        inside = ((moved >= 0) & (moved <= 1)).all(axis=-1)  # NaN: False.
        moved[~inside] = np.nan
        changed = {"keypoints": moved[kept]}
        if "keypoint_visibility" in sample:
            visibility = sample["keypoint_visibility"] * inside
            changed["keypoint_visibility"] = visibility[kept]
        return changed

    def _run(self, given: dict[str, Any], seed: int) -> Any:
        if hasattr(self.transform, "set_random_seed"):
            # Transforms keep state, so that each thread needs its own.
            if not hasattr(self._local, "transform"):
                self._local.transform = copy.deepcopy(self.transform)
            self._local.transform.set_random_seed(seed)
            return self._local.transform(**given)
        with _GLOBAL_SEED:
            states = random.getstate(), np.random.get_state()
            random.seed(seed)
            np.random.seed(seed)
            try:
                return self.transform(**given)
            finally:
                random.setstate(states[0])
                np.random.set_state(states[1])


class _Target:
    """Boxes or keypoints of a transform: their format and the place of their ids.

    Args:
        transform: The transform.
        name: Name of the argument.
        ids: Name of the argument of the ids, unless the transform has label fields.
        known: Allowed formats.
    """

    def __init__(self, transform: Any, name: str, ids: str, known: Any):
        processors = getattr(transform, "processors", None) or {}
        params = processors[name].params if name in processors else None
        self.name, self.form = name, next(iter(known))
        self.fields: tuple[str, ...] = (ids,)
        if params is not None:
            self.form = params.format
            self.fields = tuple(params.label_fields or ())
        if self.form not in known:
            raise ValueError(
                f"{name} of format {self.form!r} are not supported; use one of "
                f"{', '.join(known)}"
            )

    def arguments(self, rows: np.ndarray, ids: np.ndarray) -> dict[str, Any]:
        """Returns the arguments of the transform; ids may be the last column."""
        if not self.fields:
            return {self.name: np.column_stack([rows, ids]).tolist()}
        return {self.name: rows.tolist()} | dict.fromkeys(self.fields, ids.tolist())

    def result(self, made: dict[str, Any]) -> tuple[Any, np.ndarray]:
        """Returns the rows that are left, and their ids."""
        for name in (self.name, *self.fields[:1]):
            if name not in made:
                raise ValueError(f"the transform returned no {name!r}")
        rows = made[self.name]
        ids = made[self.fields[0]] if self.fields else [row[-1] for row in rows]
        if len(ids) != len(rows):
            raise ValueError(
                f"the transform returned {len(rows)} {self.name} and {len(ids)} ids"
            )
        return rows, np.asarray(ids, np.float64).astype(np.int64)


def _with_formats(transform: Any) -> Any:
    """Returns a transform of Albumentations as a Compose that moves boxes and points.

    Others, and a Compose that does already, are returned unchanged.
    """
    library = type(transform).__module__.partition(".")[0]
    if not library.startswith("albument"):
        return transform
    processors = getattr(transform, "processors", {})
    if "bboxes" in processors and "keypoints" in processors:
        return transform
    module = importlib.import_module(library)
    params = {name: getattr(processors.get(name), "params", None) for name in _PARAMS}
    steps, probability = [transform], 1.0
    if isinstance(transform, module.Compose):
        steps, probability = list(transform.transforms), transform.p
    boxes = params["bboxes"] or module.BboxParams(**_PARAMS["bboxes"])
    points = params["keypoints"] or module.KeypointParams(**_PARAMS["keypoints"])
    with warnings.catch_warnings():
        # Steps that move nothing need no formats, which they warn about.
        warnings.simplefilter("ignore", UserWarning)
        return module.Compose(
            steps, bbox_params=boxes, keypoint_params=points, p=probability
        )


_PARAMS: dict[str, dict[str, Any]] = {
    "bboxes": {"format": formats.PIXELS, "label_fields": [OBJECTS]},
    "keypoints": {"format": "xy", "label_fields": [KEYPOINTS]},
}
