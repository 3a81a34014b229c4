"""`odapi zoo download`: downloads, verifies and unpacks a model of the zoo."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

from odapi.errors import CheckpointError
from odapi.outputs.file import check_new_file
from odapi.outputs.writable import probe_folder
from odapi.zoo.archive import unpack
from odapi.zoo.catalog import BASE_URL, Model, find
from odapi.zoo.fetch import fetch, forget

BASE_URL_VARIABLE = "ODAPI_ZOO_URL"

# Name of the phase, bytes done, total bytes or None.
Progress = Callable[[str, int, int | None], None]


@dataclasses.dataclass(frozen=True)
class Downloaded:
    """A downloaded model of the zoo.

    Args:
        model: The model.
        folder: The unpacked archive.
        sha256: Checksum of the archive; "" if the folder already existed.
        known: Whether the checksum equals that of an earlier download.
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

    Interrupted downloads are resumed; an existing folder is returned as it is.

    Args:
        name: See `odapi zoo list`.
        output: Folder for archives and unpacked models.
        base_url: URL of a mirror; "": `ODAPI_ZOO_URL`, else the original's.
        progress: Called with the phase and the bytes.

    Raises:
        CheckpointError: The download fails, or the archive is damaged.
        ConfigError: There is no such model.
        OutputError: The folder cannot be written.
    """
    model = find(name)
    place = pathlib.Path(output).expanduser()
    folder = place / model.name
    if os.path.isdir(folder):
        return Downloaded(model, folder, "", False)
    check_new_file(folder)
    probe_folder(place)
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
    except CheckpointError as error:
        if not got.known:
            forget(archive)
        if got.is_new and error.place == str(archive):
            archive.unlink(missing_ok=True)
        raise
    return Downloaded(model, folder, got.sha256, got.known)
