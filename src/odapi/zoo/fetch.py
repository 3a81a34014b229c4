"""Downloads a file: goes on where it was interrupted, and checks what it got."""

import dataclasses
import hashlib
import http.client
import os
import pathlib
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from odapi import files
from odapi.errors import CheckpointError

_BLOCK = 1 << 18
_PART = ".part"
_FACTS = ".json"
_TIMEOUT = 30.0  # Seconds without a byte.
_RANGE_PAST_END = 416
_GONE = (401, 403, 404, 410)


@dataclasses.dataclass(frozen=True)
class Fetched:
    """A file that is whole.

    Args:
        path: Where it lies.
        sha256: Of its bytes, in hexadecimal.
        known: Whether the checksum was known from an earlier download, and agreed.
    """

    path: pathlib.Path
    sha256: str
    known: bool


def fetch(
    url: str,
    path: pathlib.Path,
    advance: Callable[[int, int | None], None] = lambda done, total: None,
) -> Fetched:
    """Downloads a file, or takes the one that is there.

    The checksum of the first download is kept in `path` + ".json"; later ones must
    have the same. What an interrupted download left goes on.

    Args:
        url: Where from.
        path: Where to.
        advance: Gets the bytes that are there, and of how many, if that is known.

    Raises:
        CheckpointError: It cannot be reached, is not there, is cut short or another
            file than the first time, or the disk is full.
    """
    expected = _facts(path).get("sha256")
    if not path.is_file():
        part = path.with_name(path.name + _PART)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _download(url, part, advance)
        except OSError as error:
            raise _failed(url, path, part, error) from error
        except http.client.HTTPException as error:
            raise _cut(url, part, f"the answer broke off ({error})") from error
        digest = _digest(part)
        if expected and digest != expected:
            part.unlink()
            raise _another(url, path, digest, expected)
        files.move_into_place(part, path)
    else:
        digest = _digest(path)
        if expected and digest != expected:
            raise _another(str(path), path, digest, expected)
    if not expected:
        facts = {"url": url, "sha256": digest, "bytes": path.stat().st_size}
        _write_facts(path, facts)
    return Fetched(path, digest, bool(expected))


def forget(path: pathlib.Path) -> None:
    """Forgets the checksum of a download that turned out to be damaged."""
    path.with_name(path.name + _FACTS).unlink(missing_ok=True)


def _download(
    url: str, part: pathlib.Path, advance: Callable[[int, int | None], None]
) -> None:
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "odapi"})
    before = _facts(part)
    if have:
        request.add_header("Range", f"bytes={have}-")
        if before.get("etag"):  # Else a file that changed would be glued to this one.
            request.add_header("If-Range", before["etag"])
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != _RANGE_PAST_END:
            raise
        error.close()
        # What is there is whole, or of another file: begin anew to know.
        part.unlink()
        _download(url, part, advance)
        return
    with answer:
        resumed = answer.status == http.client.PARTIAL_CONTENT
        start = have if resumed else 0
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        _write_facts(part, {"url": url, "etag": answer.headers.get("ETag", "")})
        done = start
        with open(part, "ab" if resumed else "wb") as file:
            advance(done, total)
            while block := answer.read(_BLOCK):
                file.write(block)
                done += len(block)
                advance(done, total)
            file.flush()
            os.fsync(file.fileno())
    if total is not None and done != total:
        raise _cut(url, part, f"{done} of {total} bytes came")
    part.with_name(part.name + _FACTS).unlink(missing_ok=True)


def _digest(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _facts(path: pathlib.Path) -> dict[str, Any]:
    return files.read_json_object(path.with_name(path.name + _FACTS))


def _write_facts(path: pathlib.Path, facts: dict[str, Any]) -> None:
    place = path.with_name(path.name + _FACTS)
    files.write_json(place, facts, indent=1, error=CheckpointError)


def _cut(url: str, part: pathlib.Path, how: str) -> CheckpointError:
    size = part.stat().st_size if part.is_file() else 0
    return CheckpointError(
        url,
        f"was not downloaded to its end: {how}",
        hint=f"run the same command again; it goes on from {size} bytes",
    )


def _another(
    place: str, path: pathlib.Path, digest: str, expected: str
) -> CheckpointError:
    facts = path.with_name(path.name + _FACTS)
    return CheckpointError(
        place,
        f"has another checksum than the first download: {digest}, not {expected}",
        hint="it is damaged, or was replaced where it lies. Run the command again; "
        f"to take the new file, delete {path} and {facts} first",
    )


def _failed(
    url: str, path: pathlib.Path, part: pathlib.Path, error: OSError
) -> CheckpointError:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        gone = error.code in _GONE
        return CheckpointError(
            url,
            f"the server answered {error.code} {error.reason}",
            hint="the file is not there any more; a mirror can be named with "
            "--base-url or ODAPI_ZOO_URL"
            if gone
            else "the server is in trouble; run the same command again later",
        )
    if isinstance(error, urllib.error.URLError):
        return CheckpointError(
            url,
            f"cannot be reached: {error.reason}",
            hint="is there a network? A mirror can be named with --base-url or "
            f"ODAPI_ZOO_URL; a file from elsewhere is taken if it lies at {path}",
        )
    if isinstance(error, ConnectionError | TimeoutError):
        return _cut(url, part, f"the connection broke ({error})")
    return CheckpointError(
        str(path),
        f"could not be written: {error.strerror or error}",
        hint="make room, or name another place with --output; then run the same "
        "command again, it goes on from there",
    )
