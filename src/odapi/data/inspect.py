"""Statistics of a dataset: counts, sizes, classes and problems."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from odapi.data.image_copies import Fingerprints, find_copies, find_shared
from odapi.data.label_outliers import BoxStatistics, Outlier
from odapi.data.near_duplicates import (
    NearDuplicate,
    find_near_duplicates,
    leakage,
    thumbnail,
)
from odapi.data.problems import Problems
from odapi.data.read_ahead import read_ahead
from odapi.data.sample import Sample
from odapi.data.set_checks import SetFinding
from odapi.data.sources.base import BaseSource
from odapi.data.survey import check_source
from odapi.data.tiny_objects import Scale, TinyObjects
from odapi.errors import DataError
from odapi.progress import track
from odapi.runtime.cpus import num_cpus

# Upper bounds of the side of a box, the root of its area, as a share of the image's.
BOX_SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
OBJECT_COUNTS = (0, 1, 2, 5, 10, 20, 50, 100)
# COCO's bounds of small and medium objects, pixels squared.
SMALL, MEDIUM = 32**2, 96**2
_EQUAL = 0.999  # Correlation of thumbnails of the same image.


@dataclasses.dataclass
class Report:
    """Statistics of a dataset. Sizes are (height, width) in pixels.

    Args:
        name: Name of the dataset.
        images: Number of usable images.
        unusable: Number of unusable images.
        empty: Number of usable images without objects.
        objects: Number of objects.
        classes: Objects by class name, including classes without objects.
        class_images: Images by class name.
        sizes: Images by size.
        box_areas: Objects by COCO's "small", "medium" and "large".
        box_shares: Objects by the upper bound of their side as a share of the image.
        objects_per_image: Images by number of objects.
        keys: Fields of the samples besides boxes and classes.
        problems: As `Problems.as_dict` gives them.
        findings: Mistakes of the whole dataset.
        num_outliers: Objects whose size or aspect ratio is far from their class.
        outliers: The farthest of them.
        tiny: Objects by their size at the training resolution; None if it is unknown.
        near_duplicates: Images that are nearly one of the training images.
        thumbnails: `[n, 16, 16]` uint8, one per image of the dataset, if decoded.
    """

    name: str
    images: int = 0
    unusable: int = 0
    empty: int = 0
    objects: int = 0
    classes: dict[str, int] = dataclasses.field(default_factory=dict)
    class_images: dict[str, int] = dataclasses.field(default_factory=dict)
    sizes: collections.Counter[tuple[int, int]] = dataclasses.field(
        default_factory=collections.Counter
    )
    box_areas: dict[str, int] = dataclasses.field(
        default_factory=lambda: {"small": 0, "medium": 0, "large": 0}
    )
    box_shares: dict[float, int] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(BOX_SHARES, 0)
    )
    objects_per_image: collections.Counter[int] = dataclasses.field(
        default_factory=collections.Counter
    )
    keys: list[str] = dataclasses.field(default_factory=list)
    problems: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    findings: list[SetFinding] = dataclasses.field(default_factory=list)
    num_outliers: int = 0
    outliers: list[Outlier] = dataclasses.field(default_factory=list)
    tiny: TinyObjects | None = None
    near_duplicates: list[NearDuplicate] = dataclasses.field(default_factory=list)
    thumbnails: np.ndarray | None = dataclasses.field(
        default=None, compare=False, repr=False
    )

    def as_dict(self) -> dict[str, Any]:
        """Returns the report in values that JSON can hold."""
        report = dataclasses.asdict(dataclasses.replace(self, thumbnails=None))
        del report["thumbnails"]
        report["sizes"] = [
            {"height": h, "width": w, "images": n}
            for (h, w), n in self.sizes.most_common()
        ]
        report["box_shares"] = {f"{k:g}": n for k, n in self.box_shares.items()}
        report["objects_per_image"] = dict(sorted(self.objects_per_image.items()))
        return report

    def add(self, sample: Sample, names: Sequence[str]) -> None:
        """Adds a sample, given the class name of each of its objects."""
        height, width = sample["size"]
        boxes = sample["boxes"].astype(np.float64)
        self.images += 1
        self.objects += len(boxes)
        self.empty += not len(boxes)
        self.sizes[height, width] += 1
        self.objects_per_image[len(boxes)] += 1
        for name in names:
            self.classes[name] = self.classes.get(name, 0) + 1
        for name in set(names):
            self.class_images[name] = self.class_images.get(name, 0) + 1
        shares = (boxes[:, 2:] - boxes[:, :2]).prod(1)
        for area in shares * height * width:
            size = "small" if area < SMALL else "medium" if area < MEDIUM else "large"
            self.box_areas[size] += 1
        for side in np.sqrt(shares):
            self.box_shares[next(b for b in BOX_SHARES if side <= b + 1e-6)] += 1

    def objects_in_bins(self) -> dict[str, int]:
        """Returns the images by ranges of their number of objects."""
        bins: dict[str, int] = {}
        for low, high in zip(OBJECT_COUNTS, (*OBJECT_COUNTS[1:], 1 << 62), strict=True):
            single = high == low + 1
            last = high == 1 << 62
            name = f"{low}" if single else f"{low}+" if last else f"{low}-{high - 1}"
            bins[name] = sum(
                n for count, n in self.objects_per_image.items() if low <= count < high
            )
        return bins


def inspect_source(
    source: BaseSource,
    decode: bool = True,
    indices: Iterable[int] | None = None,
    scale: Scale | None = None,
) -> Report:
    """Reads a whole dataset once and returns its statistics.

    Args:
        source: The dataset; its `problems` are complete afterwards.
        decode: Whether to decode every image and mask, the only way to find all damage.
        indices: The samples to read; None means all.
        scale: Resolution of the training, to count objects that vanish at it.
    """
    report = Report(source.name, keys=sorted(source.keys))
    report.classes = {c.label: 0 for c in source.label_map}
    report.class_images = dict(report.classes)
    chosen = list(range(len(source)) if indices is None else indices)
    if indices is None:
        report.findings = check_source(source, len(source))
        prints = Fingerprints(source)
        report.findings += find_copies(source, prints, source.problems)
    if decode:
        report.thumbnails = np.zeros((len(source), 16, 16), np.uint8)
    report.tiny = None if scale is None else TinyObjects(scale.stride)
    boxes = BoxStatistics()
    samples = track(_read(source, chosen, decode), "inspecting", len(chosen))
    for index, sample in zip(chosen, samples, strict=True):
        if sample is None:
            report.unusable += 1
            continue
        names = [source.label_map.label(c) for c in sample["classes"]]
        report.add(sample, names)
        boxes.add(index, sample, names)
        if report.thumbnails is not None:
            report.thumbnails[index] = sample["thumbnail"]
        if report.tiny is not None and scale is not None:
            report.tiny.add(index, sample, names, scale)
        _count_repeated(sample, source.problems)
    report.problems = source.problems.as_dict()
    report.outliers, report.num_outliers = boxes.outliers()
    if report.tiny is not None:
        report.tiny.keep()
        report.findings += report.tiny.findings()
    return report


def _count_repeated(sample: Sample, problems: Problems) -> None:
    """Counts objects that have the class and the box of another one in their image."""
    rows = np.column_stack([sample["classes"], sample["boxes"]])
    repeated = len(rows) - len(np.unique(rows, axis=0))
    if repeated:
        problems.found("repeated object", sample["image_id"], repeated)


def shared_images(train: BaseSource, evaluation: BaseSource) -> list[SetFinding]:
    """Returns a finding about evaluation images that are training images, if any."""
    return find_shared(Fingerprints(train), Fingerprints(evaluation))


def compare_images(
    train: tuple[BaseSource, Report], evaluation: tuple[BaseSource, Report]
) -> None:
    """Adds findings about evaluation images that are training images to their report.

    Args:
        train: The training data and its report.
        evaluation: The evaluation data and its report, which gets the findings.
    """
    source, report = evaluation
    report.findings += shared_images(train[0], source)
    if report.thumbnails is None or train[1].thumbnails is None:
        return
    pairs = find_near_duplicates(
        (train[0].image_ids, train[1].thumbnails), (source.image_ids, report.thumbnails)
    )
    report.near_duplicates = [p for p in pairs if not _same_bytes(p, train[0], source)]
    report.findings += leakage(report.near_duplicates, report.images)


def _same_bytes(pair: NearDuplicate, train: BaseSource, source: BaseSource) -> bool:
    """Returns whether a pair is a copy, which is counted elsewhere."""
    if pair.correlation < _EQUAL:
        return False
    return train.fingerprint(pair.other_index) == source.fingerprint(pair.index)


def _read(
    source: BaseSource, indices: Sequence[int], decode: bool
) -> Iterator[Sample | None]:
    """Yields samples without their images, in order; None for unusable ones."""

    def read(index: int) -> Sample | None:
        try:
            if not decode:
                return source.annotations(index)
            sample = source[index]
            for _ in sample.get("masks", ()):
                pass  # Decoding counts malformed masks.
        except DataError:
            return None
        image = sample.pop("image")
        sample["size"] = image.shape[:2]
        sample["thumbnail"] = thumbnail(image)
        return sample

    yield from read_ahead(read, indices, num_cpus())


def typical_images(source: BaseSource, count: int, seed: int = 0) -> list[int]:
    """Returns indices of images to preview: one per class first, then any.

    Args:
        source: The dataset.
        count: Maximum number of images.
        seed: Random seed.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(source)).tolist()
    chosen: list[int] = []
    seen: set[int] = set()
    # A thousand images nearly always include all classes.
    for index in order[:1000]:
        if len(chosen) == count:
            break
        try:
            classes = set(source.annotations(index)["classes"].tolist())
        except DataError:
            continue
        if classes - seen:
            chosen.append(index)
            seen |= classes
    rest = [i for i in order if i not in chosen]
    return sorted(chosen + rest[: count - len(chosen)])
