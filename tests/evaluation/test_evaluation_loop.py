"""The evaluation loop evaluates every image once and reports skipped ones."""

import keras
import numpy as np
import pytest

from evaluation_fakes import LABEL_MAP, FakeDataset, FakeSource, PixelDetector, sample
from odapi.errors import DataError
from odapi.evaluation.evaluation_loop import evaluate_loop
from odapi.evaluation.sanity import SanityCheck
from odapi.inference.model import evaluation_model
from odapi.labels import label_map_of
from odapi.metrics.coco.box_metrics import CocoBoxMetrics
from presence_evaluator import PresenceAccuracy

MAP = "DetectionBoxes_Precision/mAP"
BOX = (1, 1, 6, 6)
PERFECT = [
    sample("a", [(*BOX, 0)], [(*BOX, 0, 9)]),
    sample("b", [(*BOX, 1), (6, 6, 9, 9, 0)], [(*BOX, 1, 8), (6, 6, 9, 9, 0, 7)]),
    sample("empty", [], []),
]


@pytest.fixture(scope="module")
def detector():
    return PixelDetector()


def evaluate(detector, samples, batch_size=2, bad=(), **options):
    dataset = FakeDataset(FakeSource(samples, bad), batch_size)
    return evaluate_loop(detector, dataset, CocoBoxMetrics(LABEL_MAP), **options)


@pytest.mark.backend
@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_perfect_detections_give_1_at_any_batch_size(detector, batch_size):
    result = evaluate(detector, PERFECT, batch_size)
    assert result.metrics[MAP] == pytest.approx(1.0)
    assert (result.num_images, result.num_objects, result.skipped) == (3, 3, {})
    assert result.hints == ()
    assert result.label_map is LABEL_MAP


def test_padding_of_the_last_batch_counts_once(detector):
    # Batches of 2: "miss" is alone in the last one and repeats there.
    samples = [*PERFECT[:2], sample("miss", [(*BOX, 0)], [(6, 6, 9, 9, 0, 9)])]
    result = evaluate(detector, samples, 2)
    alone = evaluate(detector, samples, 1)
    assert result.num_images == 3
    assert result.metrics == alone.metrics
    assert 0 < result.metrics[MAP] < 1


def test_groundtruth_is_complete_when_that_of_the_batch_is_truncated(detector):
    truth = [(*BOX, 0), (6, 6, 9, 9, 0), (1, 7, 3, 9, 0)]  # max_boxes is 2.
    found = [(*box, 9) for box in truth]
    result = evaluate(detector, [sample("a", truth, found)])
    assert result.num_objects == 3
    assert result.metrics["DetectionBoxes_Recall/AR@100"] == pytest.approx(1.0)


def test_without_a_source_groundtruth_is_that_of_the_batch(detector):
    class Batches(list):
        label_map = LABEL_MAP

    dataset = Batches(FakeDataset(FakeSource(PERFECT)))
    result = evaluate_loop(detector, dataset, CocoBoxMetrics(LABEL_MAP), num_examples=2)
    assert result.metrics[MAP] == pytest.approx(1.0)
    assert [p.image_id for p in result.examples] == ["a", "b"]


def test_skipped_images_are_named(detector):
    result = evaluate(detector, PERFECT, bad=["b"])
    assert result.num_images == 2
    assert list(result.skipped) == ["b"]


def test_no_image_at_all_is_an_error(detector):
    with pytest.raises(DataError, match="no image could be evaluated; 3 were skipped"):
        evaluate(detector, PERFECT, bad=["a", "b", "empty"])
    with pytest.raises(DataError, match="0 were skipped"):
        evaluate(detector, [])


def test_max_images_stops_and_skips_nothing(detector):
    result = evaluate(detector, PERFECT, max_images=1)
    assert (result.num_images, result.skipped) == (1, {})
    assert len(result.examples) == 1


@pytest.mark.backend
def test_it_compiles_once_and_follows_the_weights():
    detector = PixelDetector()
    held = evaluation_model(detector)
    first = evaluate(detector, PERFECT, num_examples=3)
    traces = detector.traces
    assert traces >= 1
    detector.bias.assign(-0.25)
    second = evaluate(detector, PERFECT, num_examples=3)
    assert evaluation_model(detector) is held
    if keras.backend.backend() != "torch":  # Runs eagerly.
        assert detector.traces == traces
    score = first.examples[0].detections["scores"][0]
    assert second.examples[0].detections["scores"][0] == pytest.approx(score - 0.25)


@pytest.mark.backend
def test_losses_are_averaged_by_the_names_of_the_original(detector):
    result = evaluate(detector, PERFECT[:2], batch_size=1, with_losses=True)
    losses = {k: v for k, v in result.metrics.items() if k.startswith("Loss/")}
    # One and two objects; the regulariser: 0.25 * (1 + 1).
    assert losses == pytest.approx(
        {
            "Loss/localization_loss": 1.5,
            "Loss/classification_loss": 3.0,
            "Loss/regularization_loss": 0.5,
            "Loss/total_loss": 5.0,
        }
    )


def test_examples_are_spread_and_have_the_pixels_of_the_file(detector):
    samples = [sample(f"{n}", [(*BOX, 0)], [(*BOX, 0, 9)], 40) for n in range(9)]
    result = evaluate(detector, samples, num_examples=3)
    assert [p.image_id for p in result.examples] == ["0", "3", "6"]
    example = result.examples[0]
    assert example.image.shape == (40, 40, 3)
    assert example.groundtruth["size"] == (40, 40)
    np.testing.assert_allclose(example.detections["boxes"], [[0.1, 0.1, 0.6, 0.6]])
    assert evaluate(detector, samples, num_examples=0).examples == ()


def test_an_image_that_comes_twice_counts_once(detector):
    result = evaluate(detector, [PERFECT[0], PERFECT[0], PERFECT[1]])
    assert result.num_images == 2
    assert result.skipped == {"a": "duplicate image id; evaluated once"}


def test_detections_that_are_not_finite_are_left_out_with_a_hint():
    detector = PixelDetector()
    detector.bias.assign(float("nan"))
    result = evaluate(detector, PERFECT)
    assert result.metrics[MAP] == 0
    assert "ignored 3 detections with NaN or infinite" in result.hints[0]


EXCHANGED = ([(1, 5, 3, 9, 0)], [(5, 1, 9, 3, 0, 9)])
CONFUSED = ([(*BOX, 0), (6, 6, 9, 9, 1)], [(*BOX, 1, 9), (6, 6, 9, 9, 0, 9)])
OTHER_CLASS = ([(*BOX, 0)], [(*BOX, 1, 9)])


@pytest.mark.parametrize(
    ("truth", "detections", "number", "hint"),
    [
        ([(*BOX, 0)], [], 1, "no objects were detected"),
        ([], [(*BOX, 1, 9)], 1, "no image has groundtruth"),
        ([(*BOX, 0)], [(0, 0, 2, 9, 0, 9)], 20, "look at the drawn images"),
        (*OTHER_CLASS, 20, "do not overlap"),
        (*EXCHANGED, 20, "x and y exchanged"),
        (*CONFUSED, 10, "classes are wrong"),
    ],
)
def test_low_numbers_come_with_a_hint(detector, truth, detections, number, hint):
    samples = [sample(f"{n}", truth, detections) for n in range(number)]
    result = evaluate(detector, samples)
    assert any(hint in line for line in result.hints), result.hints


@pytest.mark.parametrize(
    ("truth", "detections", "number"),
    [(*OTHER_CLASS, 19), (*EXCHANGED, 19), (*CONFUSED, 9)],
)
def test_few_objects_show_no_fault_of_the_data(detector, truth, detections, number):
    samples = [sample(f"{n}", truth, detections) for n in range(number)]
    (hint,) = evaluate(detector, samples).hints
    assert "look at the drawn images" in hint


@pytest.mark.parametrize("case", [OTHER_CLASS, EXCHANGED, CONFUSED])
def test_the_first_steps_show_no_fault_of_the_data(detector, case):
    samples = [sample(f"{n}", *case) for n in range(20)]
    (hint,) = evaluate(detector, samples, is_trained=False).hints
    assert "look at the drawn images" in hint


def test_one_class_is_not_confused():
    check = SanityCheck(label_map_of(["thing"]))
    boxes = {"boxes": np.array([[0, 0, 0.5, 0.5]]), "classes": np.array([0])}
    for _ in range(20):
        check.update(boxes, boxes | {"scores": np.array([0.9])}, 0)
    (hint,) = check.hints(suspiciously_low=True)
    assert hint.startswith("100% of the objects overlap a detection at IoU 0.5")


def test_any_evaluator_can_be_used(detector):
    evaluator = PresenceAccuracy(["square", "circle"])
    dataset = FakeDataset(FakeSource(PERFECT))
    result = evaluate_loop(detector, dataset, evaluator)
    assert result.metrics == {"Presence/accuracy": 1.0}
    assert [(r.name, r.num_objects, r.accuracy) for r in result.categories] == [
        ("square", 2, 1.0),
        ("circle", 1, 1.0),
    ]
    assert (result.num_images, result.num_objects) == (3, 3)
    assert (result.curves, result.explanations) == ({}, {})
    assert result.hints == ("presence ignores boxes",)


def test_crowds_are_not_counted_as_objects(detector):
    crowd = {**sample("a", [(*BOX, 0), (*BOX, 1)], []), "is_crowd": np.array([1, 0])}
    assert evaluate(detector, [crowd, PERFECT[1]]).num_objects == 3


def test_each_image_reaches_the_writer_once(detector):
    class Writer(list):
        def add(self, image_id, detections, size):
            self.append((image_id, len(detections["scores"]), size))

    writer = Writer()
    evaluate(detector, PERFECT, writer=writer)
    assert writer == [("a", 1, (32, 32)), ("b", 2, (32, 32)), ("empty", 0, (32, 32))]


class FixedShapes(PixelDetector):
    """Needs a static image size, as anchors do."""

    def call(self, inputs, training=False):
        if None in inputs["images"].shape[1:3]:
            raise TypeError("the size is not known")
        return super().call(inputs, training)


@pytest.mark.backend
def test_images_of_many_sizes_keep_their_size():
    model = evaluation_model(FixedShapes())
    for height in [*range(8, 20), *range(8, 20)]:
        found, _ = model.run(np.full((2, height, 9, 3), 5, np.uint8), [[height, 9]] * 2)
        assert found["scores"].shape == (2, 3)


@pytest.mark.backend
def test_compiled_shapes_are_bounded(monkeypatch):
    monkeypatch.setattr("odapi.inference.model._MAX_COMPILED", 1)
    monkeypatch.setattr("odapi.inference.model._MAX_COMPILED_JAX", 2)
    model = evaluation_model(FixedShapes())
    steps = [model._step((1, height, 9, 3)) for height in (8, 9, 8, 10, 8, 9)]
    assert len({id(step) for step in model._steps.values()}) == 2
    if keras.backend.backend() == "jax":  # 9 was used before 8, and is made again.
        assert list(model._steps) == [(1, 8, 9, 3), (1, 9, 9, 3)]
        assert steps[0] is steps[2] is steps[4]
        assert steps[1] is not steps[5]
    else:
        assert list(model._steps) == [(1, 8, 9, 3), "eager"]
        assert steps[1] is steps[3] is steps[5]


def test_a_detector_keeps_its_evaluation_model():
    detector = PixelDetector()
    assert evaluation_model(detector) is evaluation_model(detector)
    assert evaluation_model(detector, True) is not evaluation_model(detector)
    assert evaluation_model(detector, True).with_losses
