"""Predictions as datasets: what `odapi train` reads back is what was predicted."""

import json

import numpy as np
import pytest

from odapi.data.sources.open import open_source
from odapi.draw.file import save_image
from odapi.errors import DataError, OutputError
from odapi.inference.prediction import Prediction
from odapi.inference.predictions import Predictions
from odapi.labels import Category, Keypoint, LabelMap, label_map_of

LABELS = label_map_of(["dog", "cat"])
BOXES = np.array([[0.25, 0.125, 0.75, 0.5], [0, 0, 1, 1]], np.float32)
SAVED = {"coco": "save_coco", "voc": "save_voc", "yolo": "save_txt"}


def image(value=50):
    return np.full((40, 80, 3), value, np.uint8)


def predictions(paths, label_map=LABELS, **arrays):
    """Two objects in the first image, none in the second."""
    rows = []
    for n, path in enumerate(paths):
        keep = slice(None) if n == 0 else slice(0)
        given = {k: np.asarray(v)[keep] for k, v in arrays.items()}
        rows.append(
            Prediction(
                image_id=n + 1, size=(40, 80), boxes=BOXES[keep],
                scores=np.array([0.9, 0.6])[keep], class_ids=np.array([2, 1])[keep],
                label_map=label_map, path=path,
                pixels=None if path else image(), **given,
            )
        )  # fmt: skip
    return Predictions(rows)


@pytest.fixture
def paths(tmp_path):
    return [save_image(tmp_path / f"in/{n}.png", image()) for n in ("a", "b")]


@pytest.mark.parametrize("kind", SAVED)
@pytest.mark.parametrize("from_arrays", [False, True])
def test_a_dataset_reads_back(kind, from_arrays, paths, tmp_path):
    found = predictions([None, None] if from_arrays else paths)
    written = getattr(found, SAVED[kind])(tmp_path / "out")
    assert (written.count, written.objects) == (2, 2)
    source = open_source(f"{kind}:{tmp_path / 'out'}")
    assert len(source) == 2
    full, empty = sorted((source[i] for i in range(2)), key=lambda s: -len(s["boxes"]))
    np.testing.assert_allclose(full["boxes"], BOXES, atol=1e-4)
    assert [source.label_map.label(c) for c in full["classes"]] == ["cat", "dog"]
    assert (full["image"] == image()).all()
    assert len(empty["boxes"]) == 0


def test_masks_and_keypoints_are_in_coco(paths, tmp_path):
    points = (Keypoint(0, "nose"), Keypoint(1, "tail"))
    labels = LabelMap((Category(1, "dog"), Category(2, "cat", keypoints=points)))
    keypoints = np.array([[[0.5, 0.25], [np.nan, np.nan]]] * 2)
    found = predictions(
        paths, labels, box_masks=np.ones((2, 2, 2), np.float32), keypoints=keypoints
    )
    found.save_coco(tmp_path / "out")
    content = json.loads((tmp_path / "out" / "annotations.json").read_text())
    cat, _ = content["annotations"]
    assert cat["keypoints"] == [20, 20, 2, 0, 0, 0] and cat["num_keypoints"] == 1
    sample = open_source(f"coco:{tmp_path / 'out'}")[0]
    rows, columns = np.nonzero(sample["masks"][0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 29, 10, 39)


def test_a_class_without_a_name_gets_one(paths, tmp_path):
    found = predictions(paths, LabelMap(()))
    found.save_coco(tmp_path / "out")
    source = open_source(f"coco:{tmp_path / 'out'}")
    assert [c.name for c in source.label_map] == ["class 1", "class 2"]


def test_a_folder_with_files_is_refused(paths):
    with pytest.raises(OutputError, match="has files that odapi did not write"):
        predictions(paths).save_coco(paths[0].parent)
    with pytest.raises(DataError, match="at least one image"):
        Predictions().save_txt(paths[0].parent / "new")


def test_detections_are_no_dataset_and_the_error_names_the_way(paths, tmp_path):
    predictions(paths).save_coco_results(tmp_path / "detections.json")
    with pytest.raises(DataError, match="list of COCO results") as error:
        open_source(f"coco:{tmp_path / 'detections.json'}")
    assert "odapi predict MODEL IMAGES --save-coco" in error.value.hint
