"""Downloads: interrupted, cut short, changed, missing, and unsafe archives."""

import base64
import hashlib
import http.server
import io
import json
import pathlib
import random
import tarfile
import threading

import pytest
from typer.testing import CliRunner

from odapi import files
from odapi.cli.zoo import app
from odapi.errors import CheckpointError, ConfigError, OutputError
from odapi.zoo import archive
from odapi.zoo.catalog import find
from odapi.zoo.download import download

NAME = "efficientdet_d0_coco17_tpu-32"
CONTENT = {
    f"{NAME}/pipeline.config": b"model { }",
    f"{NAME}/checkpoint/ckpt-0.index": bytes(range(256)) * 40,
}


def pack_outputs(members):
    """A .tar.gz; a member is bytes, or a TarInfo of its own."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Mirror:
    """A server with one file, which misbehaves as it is told."""

    def __init__(self):
        self.body = pack_outputs(CONTENT)
        self.ranges, self.cut, self.status, self.requests = True, None, None, []
        self.headers = {}
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request):
        wanted = request.headers.get("Range")
        self.requests.append(wanted)
        expected = f"/{find(NAME).path}"
        if self.status or request.path != expected:
            request.send_error(self.status or 404)
            return
        etag = hashlib.md5(self.body).hexdigest()
        same = request.headers.get("If-Range", etag) == etag
        start = 0
        if wanted and self.ranges and same:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(self.body):
            request.send_error(416)
            return
        part = self.body[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(part)))
        request.send_header("ETag", etag)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(part if self.cut is None else part[: self.cut])

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def mirror():
    made = Mirror()
    yield made
    made.close()


def whole(folder):
    return {
        str(f.relative_to(folder.parent)): f.read_bytes()
        for f in folder.rglob("*")
        if f.is_file()
    }


def test_a_model_is_fetched_checked_and_unpacked(mirror, tmp_path):
    seen = []
    done = download(NAME, tmp_path, mirror.url, lambda *a: seen.append(a))
    assert whole(done.folder) == CONTENT
    assert done.folder == tmp_path / NAME
    assert done.sha256 == hashlib.sha256(mirror.body).hexdigest()
    facts = json.loads((tmp_path / f"{NAME}.tar.gz.json").read_text())
    assert facts["sha256"] == done.sha256
    assert facts["bytes"] == len(mirror.body)
    assert seen[-1] == ("unpacking", sum(map(len, CONTENT.values())), None)
    assert ("fetching", len(mirror.body), len(mirror.body)) in seen
    assert sorted(f.name for f in tmp_path.iterdir()) == [
        NAME,
        f"{NAME}.tar.gz",
        f"{NAME}.tar.gz.json",
    ]
    # Again: nothing is fetched.
    assert download(NAME, tmp_path, mirror.url).sha256 == ""
    assert len(mirror.requests) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_is_resumed(mirror, tmp_path, ranges):
    mirror.cut = 50
    with pytest.raises(
        CheckpointError, match=r"received 50 of \d+ bytes\n.*from 50 bytes"
    ):
        download(NAME, tmp_path, mirror.url)
    assert not (tmp_path / NAME).exists()
    assert not (tmp_path / f"{NAME}.tar.gz").exists()
    mirror.cut, mirror.ranges = None, ranges
    assert whole(download(NAME, tmp_path, mirror.url).folder) == CONTENT
    assert mirror.requests == [None, "bytes=50-"]


def test_a_file_that_changed_meanwhile_is_not_glued_to_the_old_part(mirror, tmp_path):
    mirror.cut = 50
    with pytest.raises(CheckpointError):
        download(NAME, tmp_path, mirror.url)
    mirror.cut, mirror.body = None, pack_outputs({**CONTENT, f"{NAME}/more": b"x"})
    assert f"{NAME}/more" in whole(download(NAME, tmp_path, mirror.url).folder)


def test_a_part_that_is_whole_already(mirror, tmp_path):
    (tmp_path / f"{NAME}.tar.gz.part").write_bytes(mirror.body)
    assert whole(download(NAME, tmp_path, mirror.url).folder) == CONTENT
    assert mirror.requests == [f"bytes={len(mirror.body)}-", None]


def test_an_archive_that_was_put_there_by_hand(tmp_path):
    (tmp_path / f"{NAME}.tar.gz").write_bytes(pack_outputs(CONTENT))
    done = download(NAME, tmp_path, "http://127.0.0.1:9")
    assert whole(done.folder) == CONTENT


@pytest.mark.parametrize("delete", [True, False])
def test_another_checksum_than_the_first_time(mirror, tmp_path, delete):
    folder = download(NAME, tmp_path, mirror.url).folder
    (folder / "pipeline.config").unlink()
    folder.rename(tmp_path / "elsewhere")
    other = pack_outputs({**CONTENT, f"{NAME}/more": b"x"})
    file = tmp_path / f"{NAME}.tar.gz"
    if delete:
        file.unlink()
        mirror.body = other
    else:
        file.write_bytes(other)
    with pytest.raises(CheckpointError, match="has another checksum than the first"):
        download(NAME, tmp_path, mirror.url)
    assert not (tmp_path / NAME).exists()
    assert file.exists() != delete


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, r"answered 404.*\n.*use a mirror"),
        (403, r"answered 403.*\n.*ODAPI_ZOO_URL"),
        (503, r"answered 503.*\n.*again later"),
    ],
)
def test_answers_that_are_errors(mirror, tmp_path, status, message):
    mirror.status = status
    with pytest.raises(CheckpointError, match=message):
        download(NAME, tmp_path, mirror.url)


def test_no_network(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot be reached.*\n.*check the net"):
        download(NAME, tmp_path, "http://127.0.0.1:9")


def test_a_full_disk(mirror, tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"No space left.*\n.*free disk space"):
        download(NAME, tmp_path, mirror.url)
    monkeypatch.undo()
    (tmp_path / f"{NAME}.tar.gz").write_bytes(mirror.body)
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"No space left.*\n.*archive is kept"):
        download(NAME, tmp_path, mirror.url)
    assert not (tmp_path / NAME).exists()


def test_a_place_that_cannot_be(mirror, tmp_path):
    (tmp_path / "file").write_text("")
    for output, problem in {
        "file": "file is a file",
        "file/zoo": "file is a file",
        "n" * 300: "File name too long",
    }.items():
        with pytest.raises(OutputError, match=problem):
            download(NAME, tmp_path / output, mirror.url)
    assert mirror.requests == []
    with pytest.raises(ConfigError, match="did you mean"):
        download("efficientdet_d0", tmp_path, mirror.url)


def test_a_download_that_is_damaged_is_made_again(mirror, tmp_path):
    good = mirror.body
    mirror.body = good[: len(good) // 2]
    with pytest.raises(CheckpointError, match=r"is damaged.*\n.*delete it and run"):
        download(NAME, tmp_path, mirror.url)
    assert list(tmp_path.iterdir()) == []
    mirror.body = good
    assert whole(download(NAME, tmp_path, mirror.url).folder) == CONTENT


def test_a_damaged_archive_of_the_user_is_kept(tmp_path):
    file = tmp_path / f"{NAME}.tar.gz"
    file.write_bytes(pack_outputs(CONTENT)[:-9])
    with pytest.raises(CheckpointError) as caught:
        download(NAME, tmp_path, "http://127.0.0.1:9")
    assert str(caught.value) == (
        f"{file}: is damaged: Compressed file ended before the end-of-stream marker "
        "was reached\n  hint: delete it and run the same command again"
    )
    assert [f.name for f in tmp_path.iterdir()] == [file.name]


def test_the_md5_of_the_server_is_compared(mirror, tmp_path):
    right = base64.b64encode(hashlib.md5(mirror.body).digest()).decode()
    mirror.headers = {"x-goog-hash": "crc32c=AAAAAA==,md5=AAAAAAAAAAAAAAAAAAAAAA=="}
    with pytest.raises(CheckpointError) as caught:
        download(NAME, tmp_path, mirror.url)
    assert caught.value.problem == (
        "was not downloaded completely: its MD5 is not that which the server names"
    )
    mirror.headers = {"x-goog-hash": f"crc32c=AAAAAA==,md5={right}"}
    assert whole(download(NAME, tmp_path, mirror.url).folder) == CONTENT


def test_the_server_of_the_zoo_is_asked_by_https():
    assert find(NAME).url() == (
        "https://download.tensorflow.org/models/object_detection/"
        "tf2/20200711/efficientdet_d0_coco17_tpu-32.tar.gz"
    )


def test_every_flipped_bit_of_an_archive_is_found(tmp_path):
    rng = random.Random(2)
    content = {f"{NAME}/ckpt-0.data": rng.randbytes(20_000), f"{NAME}/b": b"b" * 3000}
    good, file = pack_outputs(content), tmp_path / "a.tar.gz"
    refused = 0
    for number in range(200):
        damaged, out = bytearray(good), tmp_path / str(number) / NAME
        damaged[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        file.write_bytes(damaged)
        try:
            archive.unpack(file, out)
        except CheckpointError:
            assert not out.exists()
            refused += 1
        else:  # In the time or the name in the header of gzip.
            assert whole(out) == content
    assert refused > 190


@pytest.mark.parametrize("size", [1, 10, 300, 1000, 5000, 10_000])
def test_archives_that_end_early(tmp_path, size):
    good = pack_outputs({f"{NAME}/a": random.Random(0).randbytes(20_000)})
    (tmp_path / "a.tar.gz").write_bytes(good[:size])
    with pytest.raises(CheckpointError, match=r"is damaged|is no \.tar\.gz"):
        archive.unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_archive_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 1_000_000)
    file = tmp_path / "a.tar.gz"
    for name, content in (("data", bytes(2_000_000)), ("l" * 2_000_000, b"")):
        file.write_bytes(pack_outputs({f"a/{name}": content}))
        with pytest.raises(CheckpointError) as caught:
            archive.unpack(file, tmp_path / "out")
        assert str(caught.value) == (
            f"{file}: unpacks to more than 1000000 bytes; nothing was unpacked\n  "
            "hint: no archive of the zoo is that large; if you trust it, unpack it "
            f"yourself: tar -xzf {file}"
        )
        assert [f for f in tmp_path.rglob("*") if f.is_file()] == [file]


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"../evil": b"x"}, "points outside"),
        ({f"{NAME}/../../evil": b"x"}, "points outside"),
        ({"/tmp/odapi-evil": b"x"}, "points outside"),
        ({"C:\\evil": b"x"}, "is a path on Windows"),
        ({"a\\..\\..\\evil": b"x"}, "is a path on Windows"),
        ({"l": special("l", tarfile.SYMTYPE, "/etc")}, "is a link"),
        ({"l": special("l", tarfile.SYMTYPE, "..")}, "is a link"),
        ({"l": special("l", tarfile.LNKTYPE, "/etc/passwd")}, "is a link"),
        ({"d": special("d", tarfile.CHRTYPE)}, "is a device"),
        ({"f": special("f", tarfile.FIFOTYPE)}, "is a device"),
    ],
)
def test_archives_that_attack_write_nothing(tmp_path, members, problem):
    file = tmp_path / "in" / "a.tar.gz"
    file.parent.mkdir()
    file.write_bytes(pack_outputs({f"{NAME}/good": b"good", **members}))
    with pytest.raises(CheckpointError, match=f"is unsafe.*{problem}"):
        archive.unpack(file, tmp_path / "out" / "a")
    left = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert left == [file]
    assert not pathlib.Path("/tmp/odapi-evil").exists()


def test_a_member_twice_is_refused(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("a/b"))
    (tmp_path / "a.tar.gz").write_bytes(out.getvalue())
    with pytest.raises(CheckpointError, match="'a/b' occurs twice"):
        archive.unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


PAGE = (
    "is a web page, not an archive\n  hint: a proxy or a login page answered instead "
    "of the server; delete the file and download it with a browser, or from a mirror "
    "(--base-url)"
)
AGAIN = "\n  hint: delete it and run the same command again"


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", f"is an empty file, not an archive{AGAIN}"),
        (b"no archive", f"is no .tar.gz archive{AGAIN}"),
        (b"PK\x03\x04", f"is no .tar.gz archive{AGAIN}"),
        (b"<html>gone</html>", PAGE),
        (b"\n <!DOCTYPE html><html>", PAGE),
        (
            b"version https://git-lfs.github.com/spec/v1",
            "is a Git LFS pointer, not an archive\n  hint: fetch the content: git lfs "
            "pull",
        ),
    ],
)
def test_what_is_no_archive(tmp_path, content, message):
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        archive.unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert str(caught.value) == f"{tmp_path / 'a.tar.gz'}: {message}"
    assert not (tmp_path / "out").exists()


def test_what_a_killed_process_left_is_not_taken_for_the_model(mirror, tmp_path):
    left = tmp_path / f".writing-{NAME}-99999-0" / NAME
    left.mkdir(parents=True)
    (left / "pipeline.config").write_text("half")
    assert whole(download(NAME, tmp_path, mirror.url).folder) == CONTENT
    assert not left.exists()


def test_an_archive_without_a_folder_of_its_own(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(pack_outputs({"x": b"1", "y/z": b"2"}))
    archive.unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert whole(tmp_path / "out") == {"out/x": b"1", "out/y/z": b"2"}


def test_the_command(mirror, tmp_path):
    environment = {"ODAPI_ZOO_URL": mirror.url}
    arguments = ["download", NAME, "--output", str(tmp_path)]
    first = CliRunner().invoke(app, arguments, env=environment)
    assert "recorded for later downloads" in first.output
    assert f"Next: odapi zoo import {tmp_path / NAME}" in first.output
    again = CliRunner().invoke(app, arguments, env=environment)
    assert "exists already" in again.output
