"""Download of a file, with resume and checksum.

Our own code instead of the package pooch, which cannot resume: archives of the zoo are
large.
"""

import base64
import binascii
import contextlib
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
from odapi.wording import counted

_BLOCK = 1 << 18
_PART = ".part"
_FACTS = ".json"
_TIMEOUT = 30.0  # Seconds without data.
_RANGE_PAST_END = 416
_UNAVAILABLE = (401, 403, 404, 410)


@dataclasses.dataclass(frozen=True)
class Fetched:
    """A complete file.

    Args:
        path: The file.
        sha256: Checksum, hexadecimal.
        known: Whether the checksum equals that of an earlier download.
        is_new: Whether it was downloaded now.
    """

    path: pathlib.Path
    sha256: str
    known: bool
    is_new: bool = False


def fetch(
    url: str,
    path: pathlib.Path,
    advance: Callable[[int, int | None], None] = lambda done, total: None,
) -> Fetched:
    """Downloads a file, unless it exists.

    The checksum of the first download is stored in `path` + ".json"; later downloads
    must have the same. A download must have the MD5 that the server names, as Google
    Cloud Storage does. Interrupted downloads are resumed.

    Args:
        url: Source.
        path: Destination.
        advance: Called with the bytes done and the total, or None if unknown.

    Raises:
        CheckpointError: The server is unreachable, the file is missing, incomplete or
            changed since the first download, or the disk is full.
    """
    expected = _facts(path).get("sha256")
    is_new = not path.is_file()
    if is_new:
        part = path.with_name(path.name + _PART)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            md5 = _download(url, part, advance)
        except OSError as error:
            raise _failed(url, path, part, error) from error
        except http.client.HTTPException as error:
            raise _incomplete(
                url, part, f"the response ended early ({error})"
            ) from error
        if md5 and _digest(part, _md5) != md5:
            part.unlink()
            raise _incomplete(url, part, "its MD5 is not that which the server names")
        digest = _digest(part)
        if expected and digest != expected:
            part.unlink()
            raise _changed(url, path, digest, expected)
        files.move_into_place(part, path)
    else:
        digest = _digest(path)
        if expected and digest != expected:
            raise _changed(str(path), path, digest, expected)
    if not expected:
        facts = {"url": url, "sha256": digest, "bytes": path.stat().st_size}
        _write_facts(path, facts)
    return Fetched(path, digest, bool(expected), is_new)


def forget(path: pathlib.Path) -> None:
    """Deletes the stored checksum of a download that is damaged."""
    path.with_name(path.name + _FACTS).unlink(missing_ok=True)


def _download(
    url: str, part: pathlib.Path, advance: Callable[[int, int | None], None]
) -> str:
    """Downloads the rest of a file; returns the MD5 that the server names, or ""."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "odapi"})
    before = _facts(part)
    if have:
        request.add_header("Range", f"bytes={have}-")
        if before.get("etag"):  # Else parts of two versions could be joined.
            request.add_header("If-Range", before["etag"])
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != _RANGE_PAST_END:
            raise
        error.close()
        # The part is complete, or of another file: start over.
        part.unlink()
        return _download(url, part, advance)
    with answer:
        md5 = _named_md5(answer.headers.get_all("x-goog-hash") or [])
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
        raise _incomplete(url, part, f"received {done} of {counted(total, 'byte')}")
    part.with_name(part.name + _FACTS).unlink(missing_ok=True)
    return md5


def _named_md5(headers: list[str]) -> str:
    """Returns the hexadecimal MD5 in headers of Google Cloud Storage, or "".

    >>> _named_md5(["crc32c=n03x6A==", "md5=1B2M2Y8AsgTpgAmY7PhCfg=="])
    'd41d8cd98f00b204e9800998ecf8427e'
    """
    values = [value.strip() for header in headers for value in header.split(",")]
    for value in values:
        if value.startswith("md5="):
            with contextlib.suppress(binascii.Error):
                return base64.b64decode(value.removeprefix("md5=")).hex()
    return ""


def _md5() -> Any:
    return hashlib.md5(usedforsecurity=False)


def _digest(path: pathlib.Path, kind: Any = "sha256") -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _facts(path: pathlib.Path) -> dict[str, Any]:
    return files.read_json_object(path.with_name(path.name + _FACTS))


def _write_facts(path: pathlib.Path, facts: dict[str, Any]) -> None:
    place = path.with_name(path.name + _FACTS)
    files.write_json(place, facts, indent=1, error=CheckpointError)


def _incomplete(url: str, part: pathlib.Path, how: str) -> CheckpointError:
    size = part.stat().st_size if part.is_file() else 0
    return CheckpointError(
        url,
        f"was not downloaded completely: {how}",
        hint=f"run the same command again; it resumes from {counted(size, 'byte')}",
    )


def _changed(
    place: str, path: pathlib.Path, digest: str, expected: str
) -> CheckpointError:
    facts = path.with_name(path.name + _FACTS)
    return CheckpointError(
        place,
        f"has another checksum than the first download: {digest}, not {expected}",
        hint="the file is damaged, or was replaced on the server. Run the command "
        f"again; to accept the new file, delete {path} and {facts} first",
    )


def _failed(
    url: str, path: pathlib.Path, part: pathlib.Path, error: OSError
) -> CheckpointError:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        unavailable = error.code in _UNAVAILABLE
        return CheckpointError(
            url,
            f"the server answered {error.code} {error.reason}",
            hint="the file is not available there; use a mirror with --base-url or "
            "ODAPI_ZOO_URL"
            if unavailable
            else "the server has a problem; run the same command again later",
        )
    if isinstance(error, urllib.error.URLError):
        return CheckpointError(
            url,
            f"cannot be reached: {error.reason}",
            hint="check the network, or use a mirror with --base-url or "
            f"ODAPI_ZOO_URL; a file from another source is used if it is at {path}",
        )
    if isinstance(error, ConnectionError | TimeoutError):
        return _incomplete(url, part, f"the connection was lost ({error})")
    return CheckpointError(
        str(path),
        f"could not be written: {error.strerror or error}",
        hint="free disk space, or choose another folder with --output; then run the "
        "same command again, which resumes the download",
    )
