"""Gallery of augmentations: which are shown, the sheets, the page and the command."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import tiny_data
from odapi.build.augment import STEPS
from odapi.build.augmentation_examples import example_of
from odapi.build.augmentation_gallery import (
    Shown,
    config_steps,
    draw_sheet,
    gallery_page,
    named_steps,
)
from odapi.build.train_augmentations import AUGMENTATIONS
from odapi.cli.data import app
from odapi.config.load import load_config
from odapi.data.augment.flip import HorizontalFlip
from odapi.data.augment.mosaic import Mosaic
from odapi.data.augment.normalize import NormalizeImage
from odapi.data.image.resize import FixedShape
from odapi.data.sources import open_source
from odapi.errors import ConfigError, DataError, OutputError

RESIZER = "fixed_shape_resizer { height: 24 width: 24 }"
MODEL = f"model {{ ssd {{ image_resizer {{ {RESIZER} }} }} }}"
CONFIG = """
train_config {
  num_steps: 9
  data_augmentation_options { random_horizontal_flip { probability: 0.25 } }
}
[odapi.options] {
  augmentations { random_mosaic { } close_after: 3 }
  augmentations { step { adjust_gamma { gamma: 2 } } }
}
"""


@pytest.fixture
def source(tmp_path):
    return open_source(tiny_data.write_coco(tmp_path / "data"))


def test_the_steps_of_a_config_come_in_order_and_then_together():
    shown = config_steps(load_config(CONFIG + MODEL))
    assert [one.title for one in shown] == [
        "random_mosaic",
        "adjust_gamma { gamma: 2.0 }",
        "random_horizontal_flip { probability: 0.25 }",
        "all_steps { all steps in order, and the resizer }",
    ]
    assert shown[0].augmentations == (Mosaic(),)
    assert len(shown[3].augmentations) == 3
    assert shown[3].resizer == FixedShape(24, 24)
    assert [one.name for one in config_steps(load_config(CONFIG))][-1] == (
        "random_horizontal_flip"
    )
    assert config_steps(load_config(MODEL)) == []


def test_every_augmentation_has_an_example_that_can_be_built():
    examples = example_of()
    assert set(examples) == (STEPS.keys() | AUGMENTATIONS.keys()) - {"step"}
    assert [one.name for one in named_steps(None, ())] == list(examples)


def test_named_steps_have_the_fields_of_the_config_if_they_are_in_it():
    names = ["adjust_gamma", "random_horizontal_flip", "random_mixup"]
    flip = "random_horizontal_flip"
    assert [one.title for one in named_steps(load_config(CONFIG), names)] == [
        "adjust_gamma { gamma: 2.0 }",
        f"{flip} {{ probability: 0.25 }}",
        "random_mixup",
    ]
    assert named_steps(None, [flip])[0].title == flip


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match="unknown augmentation 'random_mosaik'") as e:
        named_steps(None, ["random_mosaik"])
    assert "random_mosaic" in e.value.hint


def test_a_sheet_has_a_row_per_image_that_can_be_used(source, tmp_path):
    flip = Shown("flip", "", (HorizontalFlip(),))
    three = draw_sheet(source, [0, 1, 2], flip, draws=2)
    (tmp_path / "data" / "images" / "b.jpg").write_bytes(b"no image")
    two = draw_sheet(source, [0, 1, 2], flip, draws=2)
    assert three.dtype == np.uint8 and three.shape[2] == 3
    # Three columns of 320 pixels; images of 40 x 60 and 60 x 40 pixels.
    assert three.shape[1] == two.shape[1] == 6 + 3 * (320 + 6)
    assert three.shape[0] > two.shape[0] > 2 * 213
    with pytest.raises(DataError, match="none of the images"):
        draw_sheet(source, [1], flip)


def test_a_sheet_shows_draws_that_change_something(source):
    # Every fourth draw flips; those shown all do.
    quarter = Shown("flip", "", (HorizontalFlip(0.25),))
    always = Shown("flip", "", (HorizontalFlip(1.0),))
    sheets = [draw_sheet(source, [0], one, draws=3) for one in (quarter, always)]
    np.testing.assert_array_equal(*sheets)
    never = draw_sheet(source, [0], Shown("flip", "", (HorizontalFlip(0.0),)), draws=3)
    assert (never != sheets[1]).any()


@pytest.mark.parametrize(
    "step", [NormalizeImage((0.0, 255.0), (-1.0, 1.0)), Mosaic()], ids=["float", "mix"]
)
@pytest.mark.parametrize("resizer", [None, FixedShape(16, 16)])
def test_values_outside_of_0_to_255_and_other_images_are_drawn(source, step, resizer):
    sheet = draw_sheet(source, [0], Shown("step", "", (step,), resizer), draws=1)
    after = sheet[60:-40, 6 + 320 + 6 :]
    assert len(np.unique(after.reshape(-1, 3), axis=0)) > 100


def test_the_page_escapes_names():
    page = gallery_page("<b>", [("a&b.jpg", Shown("x", "y: '<'", ()))])
    assert "<h1>&lt;b&gt;</h1>" in page and 'src="a&amp;b.jpg"' in page
    assert "<pre>x { y: &#x27;&lt;&#x27; }</pre>" in page


def run(*arguments):
    result = CliRunner().invoke(app, ["augment", *map(str, arguments)])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result


def test_the_command_writes_sheets_and_a_page(tmp_path):
    spec, gallery = tiny_data.write_coco(tmp_path / "data"), tmp_path / "gallery"
    config = tmp_path / "my.config"
    config.write_text(CONFIG.replace("{\n  aug", f"{{ train_data: '{spec}' aug", 1))
    few = ["--images", 1, "--draws", 1, "--gallery", gallery]
    result = run(config, *few)
    names = ["01_random_mosaic", "02_adjust_gamma", "03_random_horizontal_flip"]
    files = [f"{name}.jpg" for name in names]
    assert sorted(p.name for p in gallery.iterdir()) == [".odapi", *files, "index.html"]
    assert f"{gallery / files[1]}: adjust_gamma {{ gamma: 2.0 }}" in result.output
    assert f"Next: odapi train {config} --model-dir DIR" in result.output
    page = (gallery / "index.html").read_text()
    assert all(f'src="{file}"' in page for file in files)
    # Another gallery replaces it; files of the user are kept.
    found = json.loads(run(spec, *few, "--step", "random_mixup", "--json").stdout)
    assert found["sheets"] == {"random_mixup": str(gallery / "01_random_mixup.jpg")}
    assert {p.suffix for p in gallery.iterdir()} == {"", ".jpg", ".html"}
    assert len(list(gallery.glob("*.jpg"))) == 1
    (gallery / "07_mine.jpg").write_bytes(b"mine")
    with pytest.raises(OutputError, match="07_mine"):
        run(config, *few)


def test_a_dataset_alone_has_no_steps(tmp_path):
    spec = tiny_data.write_coco(tmp_path / "data")
    with pytest.raises(ConfigError, match="has no augmentations") as error:
        run(spec, "--gallery", tmp_path / "gallery")
    assert "--all" in error.value.hint
    assert not (tmp_path / "gallery").exists()


def test_overrides_need_a_config(tmp_path):
    spec = tiny_data.write_coco(tmp_path / "data")
    change = ("--set", "options.seed=3")
    with pytest.raises(DataError, match="is for a pipeline config"):
        run(spec, "--all", "--gallery", tmp_path / "gallery", *change)


def test_all_and_some_augmentations_exclude_each_other(tmp_path):
    with pytest.raises(ConfigError, match="--all means all"):
        run("x", "--all", "--step", "rgb_to_gray", "--gallery", tmp_path / "gallery")
