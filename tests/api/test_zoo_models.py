"""`ObjectDetector.from_zoo`: downloaded once, imported once, kept in a cache."""

import functools
import http.server
import pathlib
import tarfile
import threading
import typing

import pytest

import odapi
import tf2_checkpoints as tf2
from odapi.api.zoo_models import cache_folder
from odapi.build.detector import build_detector
from odapi.checkpoints.weights import values
from odapi.config.load import save_config
from odapi.errors import CheckpointError, ConfigError
from odapi.zoo.catalog import find
from odapi.zoo.names.ssd_keys import ssd_keys
from small_models import small_config

NAME = "ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8"
LABEL_MAP = "item { id: 1 name: 'dog' } item { id: 2 name: 'cat' }"


class Handler(http.server.SimpleHTTPRequestHandler):
    asked: typing.ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A server with the archive of one model; returns the paths asked for."""
    source = tmp_path / "source" / NAME
    config = small_config("fpn")
    detector = build_detector(config, seed=3)
    keys = ssd_keys(detector)
    weights = values(detector.named_variables())
    tensors = {keys[name]: value for name, value in weights.items()}
    tf2.write(source / "checkpoint" / "ckpt-0", tensors, packed=True)
    (source / "label_map.pbtxt").write_text(LABEL_MAP)
    config.train_input_reader.label_map_path = "label_map.pbtxt"
    save_config(config, source / "pipeline.config")
    served = tmp_path / "served" / pathlib.Path(find(NAME).path)
    served.parent.mkdir(parents=True)
    with tarfile.open(served, "w:gz") as archive:
        archive.add(source, NAME)
    handler = functools.partial(Handler, directory=tmp_path / "served")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Handler.asked.clear()
    monkeypatch.setenv("ODAPI_ZOO_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ODAPI_HOME", str(tmp_path / "home"))
    yield Handler.asked
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_a_model_is_downloaded_once_and_kept(mirror, tmp_path):
    detector = odapi.ObjectDetector.from_zoo(NAME)
    assert detector.class_names == ("dog", "cat")
    assert detector.path == tmp_path / "home" / "models" / NAME
    assert mirror == [f"/{find(NAME).path}"]
    again = odapi.ObjectDetector.from_zoo(NAME, ["eval_config.batch_size=3"])
    assert len(mirror) == 1 and again.config.eval_config.batch_size == 3
    (tmp_path / "served" / find(NAME).path).write_bytes(b"damaged")
    with pytest.raises(CheckpointError):
        odapi.ObjectDetector.from_zoo(NAME, cache=tmp_path / "other")
    assert len(mirror) == 2 and not (tmp_path / "other" / "models").exists()


def test_names_are_checked_before_anything_is_downloaded(monkeypatch, tmp_path):
    monkeypatch.setenv("ODAPI_HOME", str(tmp_path / "home"))
    with pytest.raises(ConfigError, match="efficientdet_d0_coco17_tpu-32"):
        odapi.ObjectDetector.from_zoo("efficientdet_d0_coco17_tpu-3")
    with pytest.raises(ConfigError, match="is a classification model"):
        odapi.ObjectDetector.from_zoo("efficientnet_b0")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"ODAPI_HOME": "/data/odapi"}, "/data/odapi"),
        ({"ODAPI_HOME": "~/models"}, "/home/me/models"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/odapi"),
        ({"ODAPI_HOME": "", "XDG_CACHE_HOME": ""}, "/home/me/.cache/odapi"),
    ],
)
def test_the_cache_folder_follows_the_environment(monkeypatch, variables, expected):
    for name in ("ODAPI_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(cache_folder()) == expected
