"""Better anchors for a dataset, as overrides of the config.

K-means under IoU gives the first values; then each is scaled up and down as long as
the anchors, at their locations on the feature maps, fit the objects better. The
number of anchors per location never changes, so that checkpoints still fit.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from odapi.build.anchor_setup import AnchorSetup
from odapi.config.view import decimal, view
from odapi.data.box_clusters import cluster_aspects, cluster_shapes, cluster_sizes
from odapi.data.resized_boxes import ResizedBoxes
from odapi.errors import ConfigError

# Values by field, relative to the message of the generator.
Values = dict[str, tuple[float, ...]]

_MAX_OBJECTS, _MAX_SIZES = 3000, 6  # Of the search; recall is computed on all.
_STEPS = (1.25, 0.8, 1.12, 0.89, 1.05, 0.95)
_MAX_ROUNDS = 6
_DIGITS = 3
_GAIN = 0.005  # Of recall and mean IoU, below which anchors are not worth a change.


@dataclasses.dataclass(frozen=True)
class Proposal:
    """Anchors that fit a dataset.

    Args:
        setup: With the proposed anchors.
        overrides: "PATH=VALUE" for `--set` and `odapi config merge`; empty if the
            anchors of the config could not be improved.
    """

    setup: AnchorSetup
    overrides: tuple[str, ...]


def propose_anchors(
    setup: AnchorSetup, objects: ResizedBoxes, seed: int = 0
) -> Proposal:
    """Returns anchors with a higher sum of recall and mean best IoU.

    Args:
        setup: The anchors of the config.
        objects: The dataset.
        seed: Seed of k-means.
    """
    few = objects.thinned(_MAX_OBJECTS, _MAX_SIZES)
    present = _READ[setup.kind](setup)
    first = _rounded(_CLUSTERED[setup.kind](setup, few, seed))

    def fitness(values: Values) -> float:
        scales = values.get("scales", ())
        if list(scales) != sorted(scales):  # Later feature maps have larger anchors.
            return -1.0
        try:
            return sum(_quality(_applied(setup, values), few))
        except ConfigError:  # Values that the generator refuses.
            return -1.0

    values = _refined(max((present, first), key=fitness), fitness)
    proposed = _applied(setup, values)
    recall, mean = _quality(setup, objects)
    better_recall, better_mean = _quality(proposed, objects)
    if better_recall < recall or better_recall + better_mean < recall + mean + _GAIN:
        return Proposal(setup, ())
    base = f"{setup.path}.{setup.kind}"
    overrides = tuple(f"{base}.{k}={_text(v)}" for k, v in values.items())
    return Proposal(proposed, overrides)


def _quality(setup: AnchorSetup, objects: ResizedBoxes) -> tuple[float, float]:
    """Returns the recall and the mean best IoU."""
    best = setup.best_ious(objects)
    return float((best >= setup.threshold).mean()), float(best.mean())


def _refined(values: Values, fitness: Callable[[Values], float]) -> Values:
    """Returns values after coordinate ascent."""
    best = fitness(values)
    for _ in range(_MAX_ROUNDS):
        before = best
        for key, numbers in values.items():
            for i in range(len(numbers)):
                for step in _STEPS:
                    tried = list(values[key])
                    tried[i] *= step
                    candidate = _rounded(values | {key: tuple(tried)})
                    score = fitness(candidate)
                    if score > best + 1e-6:
                        values, best = candidate, score
        if best < before + 1e-3:
            break
    return values


def _applied(setup: AnchorSetup, values: Values) -> AnchorSetup:
    """Returns the setup with values in its message."""
    message = type(setup.message)()
    message.CopyFrom(setup.message)
    generator = getattr(message, setup.kind)
    for key, numbers in values.items():
        *folders, name = key.split(".")
        place = generator
        for folder in folders:
            place = getattr(place, folder[: folder.index("[")])[
                int(folder[folder.index("[") + 1 : -1])
            ]
        if isinstance(getattr(place, name), float):
            setattr(place, name, numbers[0])
        else:
            del getattr(place, name)[:]
            getattr(place, name).extend(numbers)
    return setup.with_message(message)


def _text(numbers: tuple[float, ...]) -> str:
    shown = [f"{number:g}" for number in numbers]
    return f"[{', '.join(shown)}]" if len(shown) > 1 else shown[0]


def _rounded(values: Values) -> Values:
    return {k: tuple(float(f"{n:.{_DIGITS}g}") for n in v) for k, v in values.items()}


def _message(setup: AnchorSetup) -> Any:
    return getattr(view(setup.message), setup.kind)


def _read_multiscale(setup: AnchorSetup) -> Values:
    own = _message(setup)
    return {"anchor_scale": (own.anchor_scale,), "aspect_ratios": own.aspect_ratios}


def _cluster_multiscale(setup: AnchorSetup, objects: ResizedBoxes, seed: int) -> Values:
    """Each octave has all sizes: their phase that fits the clusters of sizes best."""
    own = _message(setup)
    num_sizes = (own.max_level - own.min_level + 1) * own.scales_per_octave
    sides = np.log2(cluster_sizes(objects.shapes, num_sizes, seed))
    steps = own.min_level + np.arange(num_sizes) / own.scales_per_octave
    candidates = 2.0 ** np.linspace(-1, 3, 33)
    error = [
        np.abs(sides[:, None] - steps[None] - np.log2(c)).min(1).mean()
        for c in candidates
    ]
    aspects = cluster_aspects(objects.shapes, len(own.aspect_ratios), seed)
    return {
        "anchor_scale": (float(candidates[int(np.argmin(error))]),),
        "aspect_ratios": tuple(aspects.tolist()),
    }


def _read_ssd(setup: AnchorSetup) -> Values:
    own: Any = setup.generator
    scales = tuple(decimal(scale) for scale in own.scales)
    return {"scales": scales, "aspect_ratios": _message(setup).aspect_ratios}


def _cluster_ssd(setup: AnchorSetup, objects: ResizedBoxes, seed: int) -> Values:
    own = _message(setup)
    unit = np.array([own.base_anchor_height, own.base_anchor_width])
    shapes = objects.shapes / objects.sizes.min(1)[:, None] / unit
    values = {"scales": tuple(cluster_sizes(shapes, own.num_layers, seed).tolist())}
    count = len(own.aspect_ratios)
    if count:
        aspects = cluster_aspects(shapes, count, seed)
        values["aspect_ratios"] = tuple(aspects.tolist())
    return values


def _read_grid(setup: AnchorSetup) -> Values:
    own = _message(setup)
    return {"scales": own.scales, "aspect_ratios": own.aspect_ratios}


def _cluster_grid(setup: AnchorSetup, objects: ResizedBoxes, seed: int) -> Values:
    own = _message(setup)
    shapes = objects.shapes / np.array([own.height, own.width])
    return {
        "scales": tuple(cluster_sizes(shapes, len(own.scales), seed).tolist()),
        "aspect_ratios": tuple(
            cluster_aspects(shapes, len(own.aspect_ratios), seed).tolist()
        ),
    }


def _read_flexible(setup: AnchorSetup) -> Values:
    values: Values = {}
    for i, grid in enumerate(_message(setup).anchor_grid):
        values[f"anchor_grid[{i}].base_sizes"] = grid.base_sizes
        values[f"anchor_grid[{i}].aspect_ratios"] = grid.aspect_ratios
    return values


def _cluster_flexible(setup: AnchorSetup, objects: ResizedBoxes, seed: int) -> Values:
    """The clusters of smallest area go to the grid of the smallest stride."""
    grids = _message(setup).anchor_grid
    order = sorted(range(len(grids)), key=lambda i: (grids[i].height_stride, i))
    count = sum(len(grid.base_sizes) for grid in grids)
    shapes = cluster_shapes(objects.shapes, count, seed)
    values, start = {}, 0
    for i in order:
        end = start + len(grids[i].base_sizes)
        own, start = shapes[start:end], end
        values[i] = (np.sqrt(own.prod(1)), own[:, 1] / own[:, 0])
    return {
        f"anchor_grid[{i}].{name}": tuple(values[i][n].tolist())
        for i in range(len(grids))
        for n, name in enumerate(("base_sizes", "aspect_ratios"))
    }


_READ: dict[str, Callable[[AnchorSetup], Values]] = {
    "multiscale_anchor_generator": _read_multiscale,
    "ssd_anchor_generator": _read_ssd,
    "grid_anchor_generator": _read_grid,
    "flexible_grid_anchor_generator": _read_flexible,
}
_CLUSTERED: dict[str, Callable[[AnchorSetup, ResizedBoxes, int], Values]] = {
    "multiscale_anchor_generator": _cluster_multiscale,
    "ssd_anchor_generator": _cluster_ssd,
    "grid_anchor_generator": _cluster_grid,
    "flexible_grid_anchor_generator": _cluster_flexible,
}
