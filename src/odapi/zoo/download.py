"""`odapi zoo download`: an archive of the zoo, fetched, checked and unpacked."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

from odapi.errors import CheckpointError
from odapi.zoo.archive import unpack
from odapi.zoo.catalog import BASE_URL, Model, find
from odapi.zoo.fetch import fetch, forget

BASE_URL_VARIABLE = "ODAPI_ZOO_URL"

# What is done, bytes that are done, of how many.
Progress = Callable[[str, int, int | None], None]


@dataclasses.dataclass(frozen=True)
class Downloaded:
    """A model of the zoo on the disk.

    Args:
        model: What it is.
        folder: Unpacked.
        sha256: Of the archive; "" if the folder was there already.
        known: Whether the checksum agreed with that of an earlier download.
    """

    model: Model
    folder: pathlib.Path
    sha256: str
    known: bool


def download(
    name: str,
    output: str | os.PathLike[str] = "zoo",
    base_url: str = "",
    progress: Progress = lambda what, done, total: None,
) -> Downloaded:
    """Downloads a model of the zoo and unpacks it into `output`/`name`.

    What was interrupted goes on; what is there is not fetched again.

    Args:
        name: See `odapi zoo list`.
        output: Folder for archives and what is in them.
        base_url: Of a mirror; "" takes `ODAPI_ZOO_URL`, else the original's.
        progress: Gets what is done, and the bytes.

    Raises:
        CheckpointError: It cannot be fetched, or the archive is damaged.
        ConfigError: There is no such model.
    """
    model = find(name)
    place = pathlib.Path(output).expanduser()
    if place.exists() and not place.is_dir():
        raise CheckpointError(str(place), "is a file; downloads need a folder")
    folder = place / model.name
    if folder.exists():
        return Downloaded(model, folder, "", False)
    base = base_url or os.environ.get(BASE_URL_VARIABLE, "") or BASE_URL
    archive = place / f"{model.name}.tar.gz"
    got = fetch(
        model.url(base), archive, lambda n, total: progress("fetching", n, total)
    )
    written = 0

    def advance(size: int) -> None:
        nonlocal written
        written += size
        progress("unpacking", written, None)

    try:
        unpack(archive, folder, advance)
    except CheckpointError:
        if not got.known:
            forget(archive)
        raise
    return Downloaded(model, folder, got.sha256, got.known)
