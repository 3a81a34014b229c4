"""Files and tables of an evaluation result."""

import csv
import io
import json

import numpy as np
import pytest
from rich.console import Console

from evaluation_fakes import LABEL_MAP, FakeDataset, FakeSource, PixelDetector, sample
from odapi.errors import DataError
from odapi.evaluation.evaluation_loop import evaluate_loop
from odapi.evaluation.metric_files import as_json
from odapi.evaluation.result_report import (
    drawing_threshold,
    low_score_hints,
    notes,
    show,
    write_report,
)
from odapi.inference.result_files import (
    ResultsWriter,
    categories_of,
    coco_results,
)
from odapi.labels import Category, Keypoint, LabelMap
from odapi.metrics.coco.box_metrics import CocoBoxMetrics
from presence_evaluator import PresenceAccuracy
from requirement import require

BOX = (1, 1, 6, 6)


@pytest.fixture(scope="module")
def result():
    samples = [
        sample("1", [(*BOX, 0)], [(*BOX, 0, 9), (6, 6, 9, 9, 1, 3)]),
        sample("2", [(*BOX, 0)], []),
        sample("3", [], []),
        sample("4", [], []),
    ]
    dataset = FakeDataset(FakeSource(samples, bad=["4"]))
    metrics = CocoBoxMetrics(LABEL_MAP, include_metrics_per_category=True)
    return evaluate_loop(PixelDetector(), dataset, metrics, num_examples=2)


def text_of(result):
    console = Console(file=io.StringIO(), width=100)
    show(result, console)
    return console.file.getvalue()


def test_tables_show_the_names_of_the_original(result):
    text = text_of(result)
    assert "3 images, 2 objects" in text
    assert "DetectionBoxes_Precision/mAP@.50IOU" in text
    assert "0.5050" in text  # 51 of 101 recalls: half of the objects are found.
    assert "PerformanceByCategory" not in text.split("Metrics per class")[0]


def test_every_dash_and_every_skipped_image_is_explained(result):
    lines = notes(result)
    assert any(
        "mAP (medium)" in line and "no groundtruth object between 32 x 32" in line
        for line in lines
    )
    assert any(line.startswith("- circle: no groundtruth") for line in lines)
    assert "Skipped 1 image, for example:" in lines
    assert any(line.startswith("- 4: ") for line in lines)


def test_keypoint_metrics_are_in_the_table_and_kinds_are_distinguished(result):
    import dataclasses

    name = "Keypoints_Precision/mAP ByCategory/circle"
    mask = "DetectionMasks_Precision/mAP (medium)"
    boxes = result.explanations["DetectionBoxes_Precision/mAP (medium)"]
    both = dataclasses.replace(
        result,
        metrics={**result.metrics, name: 0.75},
        explanations={**result.explanations, mask: boxes},
    )
    assert f"{name} │ 0.7500" in " ".join(text_of(both).split())
    (line,) = (line for line in notes(both) if mask in line)
    assert "DetectionBoxes_Precision/mAP (medium)" in line


def test_a_report_has_all_its_files(result, tmp_path):
    files = {f.relative_to(tmp_path).as_posix() for f in write_report(tmp_path, result)}
    assert files == {
        "metrics.json",
        "categories.csv",
        "precision_recall.png",
        "mosaic.png",
        "side_by_side/000.jpg",
        "side_by_side/001.jpg",
    }
    assert all((tmp_path / f).stat().st_size > 0 for f in files)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["metrics"]["DetectionBoxes_Precision/mAP"] == pytest.approx(
        result.metrics["DetectionBoxes_Precision/mAP"]
    )
    assert content["explanations"].keys() == {
        k for k, v in content["metrics"].items() if v == -1
    }
    assert content["skipped"].keys() == {"4"}
    rows = list(csv.DictReader((tmp_path / "categories.csv").read_text().splitlines()))
    assert [(r["name"], r["num_objects"]) for r in rows] == [
        ("square", "2"),
        ("circle", "0"),
    ]


def test_json_has_plain_numbers(result):
    json.dumps(as_json(result), allow_nan=False)


def test_rows_of_any_evaluator_have_their_own_columns(tmp_path):
    dataset = FakeDataset(FakeSource([sample("1", [(*BOX, 0)], [(*BOX, 1, 9)])]))
    evaluator = PresenceAccuracy(["square", "circle"])
    result = evaluate_loop(PixelDetector(), dataset, evaluator)
    lines = text_of(result).splitlines()
    header = next(line for line in lines if "objects" in line and "class" in line)
    assert [c.strip() for c in header.split("┃")[1:-1]] == [
        "class", "objects", "presence",
    ]  # fmt: skip
    assert any("square" in line and "0.0000" in line for line in lines)
    write_report(tmp_path, result)
    assert (tmp_path / "categories.csv").read_text().splitlines() == [
        "name,id,num_objects,accuracy", "square,1,1,0.0", "circle,2,0,0.0",
    ]  # fmt: skip


def test_many_classes_are_cut_in_the_table_only(result):
    import dataclasses

    rows = tuple(
        dataclasses.replace(result.categories[0], name=f"class {n:03d}", ap=n / 100)
        for n in range(80)
    )
    text = text_of(dataclasses.replace(result, categories=rows))
    assert "class 079" in text and "class 000" in text and "class 040" not in text
    assert "50 more classes" in text


FOUND = {
    "boxes": np.array([[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1]], "float32"),
    "classes": np.array([0, 1]),
    "scores": np.array([0.9, 0.1], "float32"),
}


def test_coco_results_are_pixels_and_ids_of_the_label_map(tmp_path):
    path = tmp_path / "new" / "found.json"
    with ResultsWriter(path) as writer:
        writer.add(17, FOUND, (100, 200))
        writer.add("street", FOUND, (100, 200))
    rows = json.loads(path.read_text())
    assert rows[0] == {
        "image_id": 17,
        "category_id": 1,
        "bbox": [40.0, 10.0, 80.0, 40.0],
        "score": 0.9,
    }
    assert [r["image_id"] for r in rows] == [17, 17, "street", "street"]


def test_results_have_the_keypoints_of_their_class(tmp_path):
    # The second class has the keypoints 2 and 0, the first one none.
    points = (Keypoint(2, "nose"), Keypoint(0, "tail"))
    names = LabelMap((Category(1, "car"), Category(2, "dog", keypoints=points)))
    found = FOUND | {
        "keypoints": np.array([np.zeros((3, 2)), [[0.1, 0.2], [0, 0], [0.5, 0.25]]]),
        "keypoint_scores": np.array([[0, 0, 0], [0.9, 0, 0.12345]]),
    }
    with ResultsWriter(tmp_path / "found.json", label_map=names) as writer:
        writer.add("1", found, (100, 200))
    first, second = json.loads((tmp_path / "found.json").read_text())
    assert "keypoints" not in first
    assert second["keypoints"] == [50.0, 50.0, 0.1234, 40.0, 10.0, 0.9]
    assert len(coco_results(1, found, (100, 200))[0]["keypoints"]) == 9
    assert categories_of(names)[1]["keypoints"] == ["nose", "tail"]


def test_results_below_the_score_are_left_out(tmp_path):
    with ResultsWriter(tmp_path / "found.json", min_score=0.5) as writer:
        writer.add("1", FOUND, (100, 200))
    assert len(json.loads((tmp_path / "found.json").read_text())) == 1


def test_no_results_are_an_empty_list(tmp_path):
    with ResultsWriter(tmp_path / "found.json"):
        pass
    assert json.loads((tmp_path / "found.json").read_text()) == []


def test_an_error_leaves_the_former_results(tmp_path):
    path = tmp_path / "found.json"
    path.write_text("former")
    with pytest.raises(KeyError), ResultsWriter(path) as writer:
        writer.add("1", FOUND, (100, 200))
        raise KeyError("interrupted")
    assert path.read_text() == "former"
    assert [f.name for f in tmp_path.iterdir()] == ["found.json"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path, result):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DataError, match="cannot be written"),
        ResultsWriter(tmp_path / "file" / "found.json"),
    ):
        pass
    with pytest.raises(DataError, match="cannot be written"):
        write_report(tmp_path / "file", result)


def test_our_results_give_the_same_numbers_to_pycocotools(tmp_path):
    """The whole way: loop, results file, pycocotools."""
    coco = require("pycocotools.coco")
    cocoeval = require("pycocotools.cocoeval")
    rng = np.random.default_rng(3)
    samples = []
    for n in range(1, 9):
        corner = rng.integers(0, 4, (2, 2))
        size = rng.integers(1, 6, (2, 2))
        boxes = np.concatenate([corner, corner + size], -1)
        truth = [(*box, rng.integers(2)) for box in boxes]
        shifted = [np.clip(box + rng.integers(-1, 2, 4), 0, 10) for box in boxes]
        found = [(*box, rng.integers(2), rng.integers(1, 10)) for box in shifted]
        samples.append(sample(f"{n}", truth, sorted(found, key=lambda f: -f[-1])))
    dataset = FakeDataset(FakeSource(samples))
    with ResultsWriter(tmp_path / "found.json") as writer:
        result = evaluate_loop(
            PixelDetector(), dataset, CocoBoxMetrics(LABEL_MAP), writer=writer
        )
    rows = json.loads((tmp_path / "found.json").read_text())
    rows = [row | {"image_id": int(row["image_id"])} for row in rows]
    (tmp_path / "found.json").write_text(json.dumps(rows))
    truth_set = coco.COCO()
    rows = [
        (s["image_id"], box * 32, index)
        for s in samples
        for box, index in zip(s["boxes"].astype(float), s["classes"], strict=True)
    ]
    truth_set.dataset = {
        "images": [{"id": int(s["image_id"])} for s in samples],
        "categories": [{"id": 1, "name": "square"}, {"id": 2, "name": "circle"}],
        "annotations": [
            {
                "id": i,
                "image_id": int(image_id),
                "category_id": int(index) + 1,
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": (y1 - y0) * (x1 - x0),
                "iscrowd": 0,
            }
            for i, (image_id, (y0, x0, y1, x1), index) in enumerate(rows, 1)
        ],
    }
    truth_set.createIndex()
    found_set = truth_set.loadRes(str(tmp_path / "found.json"))
    oracle = cocoeval.COCOeval(truth_set, found_set, "bbox")
    oracle.evaluate()
    oracle.accumulate()
    oracle.summarize()
    ours = list(result.metrics.values())
    np.testing.assert_allclose(ours, oracle.stats, rtol=0, atol=1e-9)


def with_best_score(score):
    found = [(*BOX, 0, score), (6, 6, 9, 9, 1, 1)]
    dataset = FakeDataset(FakeSource([sample("1", [(*BOX, 0)], found)]))
    return evaluate_loop(PixelDetector(), dataset, CocoBoxMetrics(LABEL_MAP))


@pytest.mark.parametrize(
    ("score", "threshold", "hints"),
    [
        (9, 0.5, []),
        (
            4,
            0.2,
            [
                "no detection has a score of 0.5 or more, the best has 0.4: drawn "
                "images show those of 0.2 or more; odapi predict shows them with "
                "--min-score 0.2"
            ],
        ),
    ],
)
def test_the_best_boxes_are_drawn_where_none_has_a_high_score(
    monkeypatch, tmp_path, score, threshold, hints
):
    drawn = []

    def side_by_side(image, *_, min_score, **__):
        drawn.append(min_score)
        return image

    monkeypatch.setattr("odapi.evaluation.result_report.side_by_side", side_by_side)
    result = with_best_score(score)
    assert result.best_score == pytest.approx(score / 10)
    assert low_score_hints(result, 0.5) == hints
    write_report(tmp_path, result, min_score=0.5)
    assert drawn == [pytest.approx(threshold)]
    assert drawing_threshold(result, 0.5) == pytest.approx(threshold)


def test_a_result_without_detections_has_no_hint_about_scores():
    dataset = FakeDataset(FakeSource([sample("1", [(*BOX, 0)], [])]))
    result = evaluate_loop(PixelDetector(), dataset, CocoBoxMetrics(LABEL_MAP))
    assert low_score_hints(result, 0.5) == []


def test_the_repr_of_a_result_is_a_line(result):
    assert repr(result) == (
        "<EvaluationResult of 3 images, 2 objects, 1 skipped: "
        "DetectionBoxes_Precision/mAP 0.5050, DetectionBoxes_Precision/mAP@.50IOU "
        "0.5050, DetectionBoxes_Precision/mAP@.75IOU 0.5050 and 11 more metrics>"
    )
