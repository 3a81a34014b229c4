"""Painted samples: each object has its own color, and a value for every field."""

import numpy as np

from odapi.fields import MAX_DENSEPOSE_POINTS

HEIGHT, WIDTH = 60, 100
BACKGROUND = 10
# Rows and columns [top, left, bottom, right]; the last two touch edges of the image.
RECTANGLES = (
    (24, 6, 40, 30),
    (44, 40, 57, 55),
    (10, 60, 50, 90),
    (0, 0, 12, 20),
    (50, 80, 60, 100),
)
COLORS = np.array([80, 120, 160, 200, 240])  # Red of the objects by track id.
TINT = np.array([0, -8, 15])  # Of red, green and blue.
NUM_CLASSES = 3


def painted(rectangles=RECTANGLES, size=(HEIGHT, WIDTH)):
    """Returns a sample whose objects are rectangles in different colors.

    Keypoints, and equally DensePose points, are the center of an object and the
    center of its first pixel. `track_ids` identify objects. Arrays are read-only, as
    those of the sample cache.
    """
    image = np.zeros((*size, 3), np.uint8)
    image[...] = BACKGROUND + TINT
    masks = np.zeros((len(rectangles), *size), np.uint8)
    edges = np.array(rectangles, np.float64).reshape(-1, 4)
    for color, mask, (top, left, bottom, right) in zip(
        COLORS, masks, rectangles, strict=False
    ):
        image[top:bottom, left:right] = color + TINT
        mask[top:bottom, left:right] = 1
    centers, corners = (edges[:, :2] + edges[:, 2:]) / 2, edges[:, :2] + 0.5
    keypoints = np.stack([centers, corners], axis=1) / size
    sample = {
        "image": image,
        "image_id": "painted",
        "boxes": (edges / np.tile(size, 2)).astype(np.float32),
        "masks": masks,
        "keypoints": keypoints.astype(np.float32),
        **_other_fields(len(rectangles), keypoints),
    }
    for value in sample.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return sample


def _other_fields(count, keypoints):
    number = np.arange(count)
    points = np.zeros((count, MAX_DENSEPOSE_POINTS, 4), np.float32)
    points[:, :2, :2] = keypoints
    points[:, :2, 2:] = 0.25, 0.75
    parts = np.zeros((count, MAX_DENSEPOSE_POINTS), np.int32)
    parts[:, :2] = 3, 4
    scores = (number[:, None] + 1) * (np.arange(NUM_CLASSES + 1) + 1) / 10
    return {
        "classes": (number % NUM_CLASSES).astype(np.int32),
        "track_ids": number.astype(np.int32),
        "weights": (1 / (number + 1)).astype(np.float32),
        "confidences": (0.9 - number / 10).astype(np.float32),
        "multiclass_scores": scores.astype(np.float32),
        "is_crowd": number % 2 == 1,
        "difficult": number % 2 == 0,
        "group_of": number == 2,
        "area": (100.0 * number).astype(np.float32),
        "mask_weights": np.ones(count, np.float32),
        "keypoint_visibility": np.full((count, 2), 2, np.int32),
        "keypoint_depths": (number[:, None] + [[0.1, 0.2]]).astype(np.float32),
        "keypoint_depth_weights": np.ones((count, 2), np.float32),
        "densepose_num_points": np.full(count, 2, np.int32),
        "densepose_part_ids": parts,
        "densepose_points": points,
        "temporal_offsets": np.full((count, 2), 0.125, np.float32),
        "track_match_flags": number % 2 == 0,
    }


def without_objects(size=(HEIGHT, WIDTH)):
    """Returns a painted sample without objects."""
    return painted((), size)


def pixel(size=(1, 1)):
    """Returns a tiny image that one object fills."""
    return painted(((0, 0, *size),), size)


def with_degenerate_boxes():
    """Returns a painted sample whose first two boxes have no area."""
    sample = painted()
    boxes = sample["boxes"].copy()
    boxes[0, 2] = boxes[0, 0]
    boxes[1] = boxes[1, [0, 1, 0, 1]]
    return sample | {"boxes": boxes}


EDGE_CASES = {
    "no objects": without_objects,
    "one pixel": pixel,
    "one row": lambda: pixel((1, 40)),
    "one column": lambda: pixel((40, 1)),
    "2 x 3": lambda: pixel((2, 3)),
    "no objects on one pixel": lambda: without_objects((1, 1)),
    "boxes without area": with_degenerate_boxes,
    "an object as large as the image": lambda: pixel((HEIGHT, WIDTH)),
    "boxes only": lambda: {
        key: painted()[key] for key in ("image", "image_id", "boxes", "classes")
    },
}
