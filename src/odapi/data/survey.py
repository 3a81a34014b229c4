"""One bounded pass over the annotations of a dataset, without decoding images."""

import collections
import copy
import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np

from odapi.data.problems import Problems
from odapi.data.read_ahead import read_ahead
from odapi.data.sample import Sample
from odapi.data.sample_checks import InvalidSampleError
from odapi.data.set_checks import SetFinding, check_set
from odapi.data.sources.base import BaseSource, Raw
from odapi.errors import DataError

# Outcomes by which an object is lost, by the kinds of `Problems`.
LOST_OBJECTS = (
    "NaN box",
    "malformed box",
    "malformed row",
    "box outside the image",
    "box without area",
    "object without class",
    "annotation without image",
    "image label",
    "unknown class, dropped",
)
# Of these, the ones that are left out before annotations are arrays.
_NEVER_STORED = ("malformed box", "object without class", "unknown class, dropped")
# Outcomes by which a box is used, but not as it is stored.
CHANGED_BOXES = ("box beyond the image", "inverted box")
# Fields of objects that metrics do not count.
_FLAGS = ("is_crowd", "difficult", "group_of")
SMALL_BOX = "box smaller than a pixel"
FAR = 2.0  # Normalized coordinates above this are no boxes beyond an image.
_THREADS = 16  # They wait for files.


@dataclasses.dataclass
class Survey:
    """Facts about all objects of a dataset, or of a sample of its images.

    Args:
        name: Name of the dataset.
        num_images: Images of the dataset.
        checked: Images that were read.
        unreadable: Of these, images that cannot be used.
        stored: Objects in the annotations of these images.
        lost: Objects that cannot be used, by the kind of problem: of these images,
            and those that were found when the dataset was opened.
        opened: Of these, objects that were found when the dataset was opened.
        changed: Boxes of these images that were changed, by the kind of problem.
        num_small: Boxes of these images that are smaller than a pixel.
        declared: Names of the classes.
        classes: Usable objects by class index.
        boxes: Usable boxes `[n, 4]`, normalized.
        sizes: Height and width `[n, 2]` in pixels of the image of each box.
        min_side: Shortest side of an image in pixels.
        highest_px: Highest coordinate of boxes in pixels; None if there is no box.
        highest_share: Highest normalized coordinate as stored; None if there is none.
        num_far: Stored boxes with a normalized coordinate above `FAR`.
        num_annotated: Images with usable boxes.
        num_uncounted: Usable objects that are crowds, difficult or groups.
        with_keypoints: Usable objects in images whose objects have keypoints.
        with_labeled: Of these, objects with a labeled keypoint.
    """

    name: str
    num_images: int
    checked: int = 0
    unreadable: int = 0
    stored: int = 0
    lost: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    opened: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    changed: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    num_small: int = 0
    declared: tuple[str, ...] = ()
    classes: collections.Counter[int] = dataclasses.field(
        default_factory=collections.Counter
    )
    boxes: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 4)))
    sizes: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros((0, 2)))
    min_side: int = 1 << 30
    highest_px: float | None = None
    highest_share: float | None = None
    num_far: int = 0
    num_annotated: int = 0
    num_uncounted: int = 0
    with_keypoints: int = 0
    with_labeled: int = 0

    @property
    def usable(self) -> int:
        """Number of usable objects in the checked images."""
        return len(self.boxes)

    @property
    def is_complete(self) -> bool:
        """True if all images were read."""
        return self.checked == self.num_images

    def share_lost(self, kind: str) -> float:
        """Returns the share of all objects that is lost by one kind of problem."""
        opened = self.opened[kind]
        if opened:
            others = self.stored * self.num_images / max(self.checked, 1)
            return opened / (opened + others)
        return self.lost[kind] / max(self.stored, 1)


def survey(source: BaseSource, max_images: int = 1000) -> Survey:
    """Reads the annotations and the sizes of images; more until an object is usable.

    Args:
        source: The dataset; its `problems` stay as they are.
        max_images: Maximum number of images to read, evenly spaced.

    Raises:
        InvalidSampleError: A sample that was made in Python has a wrong form.
    """
    total = len(source)
    chosen = np.unique(np.linspace(0, total - 1, min(total, max_images)).astype(int))
    found = Survey(
        source.name, total, declared=tuple(c.label for c in source.label_map)
    )
    for problem in source.problems:
        if problem.kind in LOST_OBJECTS:
            found.opened[problem.kind] += problem.count
    found.lost.update(found.opened)
    probe = copy.copy(source)
    probe.problems = Problems()  # What training counts must not be counted twice.
    boxes = [_add(found, *item) for item in _read(probe, chosen.tolist())]
    if not any(len(b) for b, _ in boxes):
        rest = sorted(set(range(total)) - set(chosen.tolist()))
        for item in _read(probe, rest):
            boxes.append(_add(found, *item))
            if len(boxes[-1][0]):
                break
    found.boxes = np.concatenate([np.zeros((0, 4)), *(b for b, _ in boxes)])
    sizes = [np.tile(size, (len(b), 1)) for b, size in boxes if len(b)]
    found.sizes = np.concatenate([np.zeros((0, 2)), *sizes])
    for problem in probe.problems:
        if problem.kind in LOST_OBJECTS:
            found.lost[problem.kind] += problem.count
        if problem.kind in _NEVER_STORED:
            found.stored += problem.count
        if problem.kind in CHANGED_BOXES:
            found.changed[problem.kind] += problem.count
    found.num_small = probe.problems.count(SMALL_BOX)
    return found


def _read(
    source: BaseSource, indices: Iterable[int]
) -> Iterator[tuple[Raw | None, Sample | None]]:
    """Yields annotations as stored and as used; None for images without use."""

    def read(index: int) -> tuple[Raw | None, Sample | None]:
        try:
            return source.raw_and_annotations(index)
        except InvalidSampleError:
            raise  # A mistake in the user's code.
        except DataError:
            return None, None

    yield from read_ahead(read, indices, min(_THREADS, len(source)))


def _add(
    found: Survey, raw: Raw | None, sample: Sample | None
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Adds an image; returns its usable boxes, normalized, and its size."""
    found.checked += 1
    if raw is None or sample is None:
        found.unreadable += 1
        return np.zeros((0, 4)), (0, 0)
    stored = np.asarray(raw.objects["boxes"], np.float64).reshape(-1, 4)
    found.stored += len(stored)
    found.min_side = min(found.min_side, *sample["size"])
    finite = stored[np.isfinite(stored).all(1)]
    if len(finite):
        high = float(finite.max())
        if raw.in_pixels:
            found.highest_px = max(high, found.highest_px or 0.0)
        else:
            found.highest_share = max(high, found.highest_share or 0.0)
            found.num_far += int((np.abs(finite) > FAR).any(1).sum())
    found.classes.update(sample["classes"].tolist())
    found.num_annotated += len(sample["boxes"]) > 0
    flags = [np.asarray(sample[key], bool) for key in _FLAGS if key in sample]
    found.num_uncounted += int(np.any(flags, axis=0).sum()) if flags else 0
    if "keypoint_visibility" in sample:
        found.with_keypoints += len(sample["classes"])
        found.with_labeled += int((sample["keypoint_visibility"] > 0).any(1).sum())
    return np.asarray(sample["boxes"], np.float64), tuple(sample["size"])


def check_evaluation_source(source: BaseSource) -> list[SetFinding]:
    """Returns the mistakes of evaluation data as a whole; see `check_source`."""
    return check_evaluation(bounded_survey(source))


def check_evaluation(found: Survey) -> list[SetFinding]:
    """Returns the mistakes of evaluation data.

    The classes are those of the model, of which the data may have only one.
    """
    of_model = ("one_class", "similar_classes")
    return [f for f in check_set(found) if f.check not in of_model]


def check_source(source: BaseSource, max_images: int | None = None) -> list[SetFinding]:
    """Returns the mistakes of a dataset as a whole, errors first.

    Args:
        source: The dataset; its `problems` stay as they are.
        max_images: Maximum number of images to read; None bounds the time.

    Raises:
        InvalidSampleError: A sample that was made in Python has a wrong form.
    """
    if max_images is not None:
        return check_set(survey(source, max_images))
    return check_set(bounded_survey(source))


def bounded_survey(source: BaseSource) -> Survey:
    """Returns the survey of as many images as take a moment; see `survey`."""
    # Samples that are made in Python may take a second each.
    return survey(source, 1000 if source.is_stored else 100)
