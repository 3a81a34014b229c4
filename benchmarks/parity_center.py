"""Detections of a CenterNet beside the original's."""

import numpy as np

from benchmarks.parity_rows import Arrays, Comparison

# Fields of detections whose name the original begins with "detection_".
_OTHERS = ("num",)


def detections(compared: Comparison, outputs: Arrays) -> Arrays:
    """Returns our detections by the original's names, in the original's order.

    Peaks whose scores are equal but for rounding may come in another order; they are
    recognised by their class and the nearest box.
    """
    prefix = "detections/"
    found = {
        f"{prefix}detection_{k.removeprefix(prefix)}": v
        for k, v in outputs.items()
        if k.startswith(prefix) and k.removeprefix(prefix) not in _OTHERS
    }
    order = _order(compared, found)
    rows = np.arange(len(order))[:, None]
    found = {k: v[rows, order] for k, v in found.items()}
    return found | {f"{prefix}num_detections": outputs[f"{prefix}num"]}


def _order(compared: Comparison, found: Arrays) -> np.ndarray:
    """Returns `[b, n]`: for each of theirs the place of the same in ours."""
    ours, theirs = _places(found), _places(compared.arrays)
    orders = []
    for mine, wanted in zip(ours, theirs, strict=True):
        distance = np.abs(wanted[:, None] - mine[None]).max(-1)
        nearest = distance.argmin(1)
        own = np.arange(len(mine))
        # Only within a place or two: what is elsewhere is another detection.
        orders.append(np.where(np.abs(nearest - own) <= 3, nearest, own))
    return np.stack(orders)


def _places(found: Arrays) -> np.ndarray:
    """Returns `[b, n, 5]`: class and box in cells of each detection."""
    classes = found["detections/detection_classes"][..., None].astype(np.float64)
    return np.concatenate([classes, found["detections/detection_boxes_strided"]], -1)
