"""Problems found in a dataset, and the outcome of each: nothing is lost silently."""

import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from odapi.wording import shortened

if TYPE_CHECKING:
    from rich.table import Table

FIXED = "fixed"  # Used after an unambiguous correction.
KEPT = "kept"  # Used unchanged.
DROPPED = "dropped"  # An object is left out; its image is used.
SKIPPED = "skipped"  # An image or a record is left out.
RENAMED = "renamed"  # Used under another id.
REFUSED = "refused"  # A DataError before the first step.

# kind: (outcome, meaning). The table of docs/data.md; a test compares the two.
OUTCOMES: dict[str, tuple[str, str]] = {
    "corrupt image": (SKIPPED, "the bytes cannot be decoded, or end too early"),
    "damaged JPEG": (KEPT, "stray bytes in a JPEG file; every pixel was decoded"),
    "missing image": (SKIPPED, "no file; more than half missing is refused"),
    "missing split": (SKIPPED, "test images of data.yaml do not exist"),
    "image without a label file": (KEPT, "has no txt file in a YOLO dataset"),
    "unused label file": (SKIPPED, "a txt file of objects outside the label folders"),
    "classes without names": (KEPT, "neither data.yaml nor classes.txt names them"),
    "missing annotation": (SKIPPED, "an image without its XML, JSON or txt file"),
    "annotation elsewhere": (SKIPPED, "an XML file outside the annotation folder"),
    "file name of another image": (
        FIXED,
        "an XML file names another image; the one with its own name was used",
    ),
    "image of two annotations": (
        SKIPPED,
        "two XML files or names in a CSV mean one image; the one with its name, or "
        "the first, is used",
    ),
    "unreadable annotation": (SKIPPED, "an XML, JSON or txt file that is damaged"),
    "corrupt record": (SKIPPED, "checksum of a record is wrong, or no tf.Example"),
    "truncated record": (SKIPPED, "a TFRecord file ends within a record"),
    "lost bytes": (SKIPPED, "damage between two records; reading went on after it"),
    "malformed row": (DROPPED, "a line of a CSV or KITTI file of another length"),
    "NaN box": (DROPPED, "a side of a box is missing or not a finite number"),
    "malformed number": (FIXED, "area, iscrowd ... of COCO; its default was taken"),
    "malformed box": (DROPPED, "a box without exactly four numbers"),
    "inverted box": (FIXED, "minimum above maximum; the two were swapped"),
    "box beyond the image": (FIXED, "clipped to the image"),
    "box outside the image": (DROPPED, "no part of it lies within the image"),
    "box smaller than a pixel": (KEPT, "in height or width; are these pixels?"),
    "box without area": (DROPPED, "no height or no width"),
    "box from mask": (FIXED, "no box, or one without area; taken around the mask"),
    "box from keypoints": (FIXED, "no box and no mask; taken around the keypoints"),
    "shape of another kind": (DROPPED, "a line, a lone point or a cuboid: no object"),
    "malformed mask": (DROPPED, "a mask that cannot be decoded; its object is kept"),
    "mask of another shape": (DROPPED, "height : width is not that of the image"),
    "empty mask": (DROPPED, "a mask without a pixel; its object is kept"),
    "mask outside its box": (KEPT, "most of it; dropped if it is of another size"),
    "mask without a box": (DROPPED, "no box of its class has the box of the mask"),
    "malformed keypoints": (DROPPED, "not as many as there are; the object is kept"),
    "keypoints without visibility": (FIXED, "x, y pairs; visible except at (0, 0)"),
    "visibility other than 0, 1, 2": (FIXED, "a score, or above 2; taken as visible"),
    "unusable keypoint": (DROPPED, "null, NaN or negative; taken as unlabeled"),
    "keypoint outside the image": (
        DROPPED,
        "by more than its size (pixels, not normalized?); kept beyond 10 % of it",
    ),
    "keypoints outside their box": (KEPT, "most are far outside the box"),
    "malformed skeleton": (DROPPED, "not a list of pairs of keypoints, from 1"),
    "unknown keypoint": (DROPPED, "a name that the label map does not have"),
    "unknown class": (REFUSED, "not in the label map; unknown=drop drops the objects"),
    "unknown class, dropped": (
        DROPPED,
        "not in the label map, with unknown=drop or drop_unknown_classes",
    ),
    "object without class": (DROPPED, "label -1, or neither a name nor an id"),
    "class id 0": (FIXED, "class ids count from 0; 1 was added to each"),
    "wrong image size": (FIXED, "annotation and image differ in size"),
    "EXIF orientation": (FIXED, "the image was turned as its EXIF tag says"),
    "duplicate id": (RENAMED, "two images have the same id; the later got a suffix"),
    "repeated image": (SKIPPED, "the same image is listed twice"),
    "same bytes": (KEPT, "two images have the same bytes under different names"),
    "same bytes, other objects": (KEPT, "and their annotations contradict each other"),
    "repeated annotation": (DROPPED, "the same object is listed twice"),
    "repeated object": (KEPT, "the same class and the same box twice in an image"),
    "missing shard": (SKIPPED, "of NAME-00000-of-00010 ... a file is not there"),
    "annotation without image": (DROPPED, "its image id is not in the file"),
    "image label": (DROPPED, "an annotation without a box, a mask or keypoints"),
    "unusable image": (SKIPPED, "a source of yours raised DataError for it"),
    "more boxes than max_number_of_boxes": (DROPPED, "of an image; raise the limit"),
    "image without context features": (KEPT, "its memory bank is empty"),
    "context features of another length": (
        DROPPED,
        "than context_feature_length; the memory bank is empty",
    ),
    "more context features than max_num_context_features": (
        DROPPED,
        "of an image; raise the limit",
    ),
    "frame without annotations": (SKIPPED, "region/is_annotated is 0, or excluded"),
    "empty dataset": (REFUSED, "no image is left"),
}

_NAMED = 5  # First occurrences that are kept by name.
_LONGEST = 500  # Characters of one: a name may hold a whole file.


@dataclasses.dataclass
class Problem:
    """One kind of problem in a dataset.

    Args:
        kind: A key of `OUTCOMES`.
        outcome: The outcome.
        first: Places of the first occurrences.
        count: Number of occurrences.
        enough: For a limit that was too low: the lowest that drops nothing; else 0.
    """

    kind: str
    outcome: str
    first: list[str] = dataclasses.field(default_factory=list)
    count: int = 0
    enough: int = 0


class Problems:
    """Counts problems, each place once even if it is read repeatedly. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._problems: dict[tuple[str, str], Problem] = {}
        # Hashes: a name costs a hundred bytes, and only the first are shown.
        self._seen: set[int] = set()
        # Called with what is counted, for who collects it elsewhere.
        self.tell: Callable[[str, str, str, int, int], None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Other processes hash differently.
        return {"_problems": self._problems}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]
        self._problems = state["_problems"]

    def add(
        self, kind: str, outcome: str, where: str, count: int = 1, enough: int = 0
    ) -> None:
        """Counts a problem, unless `where` was counted for it already.

        Args:
            kind: A key of `OUTCOMES`.
            outcome: The outcome.
            where: The place.
            count: Number of occurrences there.
            enough: A limit that would have dropped nothing there.
        """
        key = hash((kind, outcome, where))
        with self._lock:
            problem = self._problems.setdefault((kind, outcome), Problem(kind, outcome))
            problem.enough = max(problem.enough, enough)
            if key in self._seen:
                return
            self._seen.add(key)
            problem.count += count
            if len(problem.first) < _NAMED:
                problem.first.append(shortened(where, _LONGEST))
        if self.tell is not None:
            self.tell(kind, outcome, where, count, enough)

    def found(self, kind: str, where: str, count: int = 1, enough: int = 0) -> None:
        """Counts a problem with the outcome that `OUTCOMES` gives to its kind."""
        self.add(kind, OUTCOMES[kind][0], where, count, enough)

    def merge(self, other: "Problems") -> None:
        """Adds what `other` has counted. Places that both name count twice."""
        for theirs in other:
            with self._lock:
                ours = self._problems.setdefault(
                    (theirs.kind, theirs.outcome), Problem(theirs.kind, theirs.outcome)
                )
                ours.count += theirs.count
                ours.enough = max(ours.enough, theirs.enough)
                ours.first = (ours.first + theirs.first)[:_NAMED]

    def __iter__(self) -> Iterator[Problem]:
        with self._lock:
            problems = [
                dataclasses.replace(p, first=list(p.first))
                for p in self._problems.values()
            ]
        return iter(sorted(problems, key=lambda p: (p.outcome, p.kind)))

    def __bool__(self) -> bool:
        return bool(self._problems)

    def __len__(self) -> int:
        return sum(p.count for p in self)

    def count(self, kind: str) -> int:
        """Returns the number of problems of one kind."""
        return sum(p.count for p in self if p.kind == kind)

    def as_dict(self) -> list[dict[str, Any]]:
        """Returns the problems in values that JSON can hold, in a fixed order."""
        found = [dataclasses.asdict(p) for p in self]
        return [{k: v for k, v in p.items() if k != "enough" or v} for p in found]

    def table(self, title: str = "problems in the data") -> "Table":
        """Returns a table for rich: kind, outcome, count, first occurrences."""
        from rich.table import Table

        table = Table(title=title, title_justify="left")
        for name in ("problem", "outcome", "count", "first"):
            table.add_column(
                name, justify="right" if name == "count" else "left", overflow="fold"
            )
        for p in self:
            named_all = len(p.first) < _NAMED or p.count == len(p.first)
            more = "" if named_all else ", ..."
            first = ", ".join(p.first) + more
            if p.enough:
                first += f"; a limit of {p.enough} drops none"
            table.add_row(p.kind, p.outcome, f"{p.count}", first)
        return table
