"""Masks that the original stumbled over: what is learnt of them, what is said."""

import json

import numpy as np
import pytest

from odapi.data.image.resize import FixedShape
from odapi.data.loader.collate import Collate
from odapi.data.sources.open import open_source
from tiny_data import encoded

SIZE = (40, 60)  # Height and width.
SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]
WHOLE = {"size": list(SIZE), "counts": [0, SIZE[0] * SIZE[1]]}


def batch_of(tmp_path, annotation):
    """Returns the groundtruth of an image of one annotation, and what was counted."""
    (tmp_path / "a.png").write_bytes(encoded(".png", SIZE))
    row = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "bbox": [10, 10, 20, 20],
        "area": 9,
    }
    content = {
        "images": [{"id": 1, "file_name": "a.png", "height": 40, "width": 60}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [{**row, **annotation}],
    }
    file = tmp_path / "a.json"
    file.write_text(json.dumps(content))
    source = open_source(f"coco:{file}?images={tmp_path}", load_masks=True)
    collate = Collate(1, 2, fields=("masks", "mask_weights", "is_crowd"))
    truth = collate([FixedShape(height=80, width=120)(source[0])]).groundtruth
    return truth, source.problems


@pytest.mark.parametrize(
    ("annotation", "pixels", "weight", "counted"),
    [
        ({"segmentation": [SQUARE]}, 1600, 1, 0),
        ({}, 0, 0, 0),  # The record has no mask.
        ({"segmentation": []}, 0, 0, 0),
        ({"segmentation": [[10, 10, 30, 10]]}, 0, 0, 1),  # A line.
        ({"segmentation": [[10, 10, 30, 10, 30]]}, 0, 0, 1),
        ({"segmentation": {"size": [40, 60], "counts": [7]}}, 0, 0, 1),
        ({"segmentation": WHOLE, "iscrowd": 1, "bbox": [0, 0, 60, 40]}, 9600, 1, 0),
        # A mask of another size is scaled to the image.
        (
            {
                "segmentation": {"size": [4, 6], "counts": [0, 24]},
                "bbox": [0, 0, 60, 40],
            },
            *(9600, 1, 0),
        ),
    ],
)
def test_a_mask_that_is_not_there_is_not_learnt(
    tmp_path, annotation, pixels, weight, counted
):
    truth, problems = batch_of(tmp_path, annotation)
    assert truth.masks[0, 0].sum() == pytest.approx(pixels, abs=90)
    assert truth.mask_weights.tolist() == [[weight, 0]]
    assert truth.is_crowd[0, 0] == annotation.get("iscrowd", 0)
    assert sum(p.count for p in problems) == counted


def test_padding_and_cut_masks_do_not_count():
    sample = {
        "image": np.zeros((4, 4, 3), np.uint8),
        "boxes": np.float32([[0, 0, 1, 1]] * 2),
        "classes": np.zeros(2, np.int32),
        "masks": np.stack([np.zeros((4, 4), np.uint8), np.eye(4, dtype=np.uint8)]),
        "original_size": np.array([4, 4]),
        "true_size": np.array([4, 4]),
        "image_id": "a",
    }
    truth = Collate(1, 3, fields=("masks", "mask_weights"))([sample]).groundtruth
    assert truth.mask_weights.tolist() == [[0, 1, 0]]
