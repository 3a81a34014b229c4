"""The catalog of the zoo: complete, and found by what people type."""

import json

import pytest
from typer.testing import CliRunner

from odapi.cli.zoo import app
from odapi.errors import ConfigError
from odapi.zoo.catalog import BASE_URL, find, models, select

FPNLITE = "ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8"


def test_the_catalog_has_every_row_of_the_originals_lists(shared):
    facts = json.loads((shared / "spec/zoo_tf2.json").read_text())
    rows = facts["tf2"] + facts["tf2_other_downloads"] + facts["tf2_classification"]
    ours = {m.url(): m for m in models()}
    assert len(models()) == len(rows) == 58
    for row in rows:
        model = ours[row["download_url"].replace("http://", "https://")]
        assert row["name"] == model.title
        for name, field in [
            ("coco_box_map", "box_map"),
            ("coco_mask_map", "mask_map"),
            ("coco_keypoint_map", "keypoint_map"),
            ("speed_ms", "speed_ms"),
        ]:
            assert row.get(name) == getattr(model, field), (row["name"], name)


def test_names_are_unique_and_one_folder_each():
    names = [m.name for m in models()]
    assert len(set(names)) == len(names)
    assert all("/" not in n and n == n.strip(".") for n in names)


@pytest.mark.parametrize(
    "name",
    [
        FPNLITE,
        f"{FPNLITE}.tar.gz",
        f"{FPNLITE}/",
        "SSD MobileNet V2 FPNLite 320x320",
        "ssd mobilenet v2 fpnlite 320x320",
    ],
)
def test_names_that_are_found(name):
    model = find(name)
    assert model.name == FPNLITE
    assert model.url() == f"{BASE_URL}/tf2/20200711/{FPNLITE}.tar.gz"
    assert model.url("http://here/") == f"http://here/tf2/20200711/{FPNLITE}.tar.gz"
    assert (model.resolution, model.box_map, model.speed_ms) == ((320, 320), 22.2, 22)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ssd_mobilenet_v2_fpnlite_320x320_coco17", f"did you mean '{FPNLITE}'"),
        ("efficientdet_d0_coco17_tpu-8", "did you mean 'efficientdet_d"),
        ("../../etc/passwd", "odapi zoo list"),
        ("", "odapi zoo list"),
    ],
)
def test_unknown_names(name, hint):
    with pytest.raises(ConfigError, match="is not a model of the zoo") as caught:
        find(name)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({}, 58),
        ({"family": "efficientdet"}, 8),
        ({"family": "faster r-cnn"}, 11),
        ({"family": "SSD"}, 10),
        ({"family": "retinanet"}, 6),
        ({"task": "keypoints"}, 5),
        ({"task": "masks"}, 2),
        ({"task": "classification"}, 14),
        ({"resolution": "800x1333"}, 3),
        ({"resolution": "320"}, 2),
        ({"resolution": "320x320"}, 2),
        ({"family": "centernet", "task": "keypoints", "resolution": "1024"}, 1),
        ({"family": "efficientdet", "task": "masks"}, 0),
    ],
)
def test_filters(filters, count):
    assert len(select(**filters)) == count


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"family": "yolo"}, "--family: 'yolo' matches no model; known are CenterNet"),
        ({"task": "mask"}, "did you mean 'masks'"),
        ({"resolution": "600"}, "known are 320, 320x320, 512.*1536"),
    ],
)
def test_unknown_filters_list_the_known_values(filters, message):
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        select(**filters)


def test_the_list_as_a_table_and_as_json():
    shown = CliRunner().invoke(app, ["list", "--family", "mask"])
    assert "39.0, masks 34.6" in shown.output
    assert "1024x1024" in shown.output
    assert shown.output.splitlines()[-1].startswith("Next: odapi zoo download mask_")
    shown = CliRunner().invoke(app, ["list", "--resolution", "320", "--json"])
    [first, second] = json.loads(shown.output)
    assert first["tasks"] == ["boxes"] and second["name"] == FPNLITE
    empty = CliRunner().invoke(
        app, ["list", "--family", "efficientdet", "--task", "masks"]
    )
    assert (empty.exit_code, empty.output[:12]) == (1, "No model mat")
