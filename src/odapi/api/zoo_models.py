"""Models of the TF2 zoo, downloaded, imported and kept in a cache folder."""

import os
import pathlib

from odapi.errors import ConfigError
from odapi.progress import track_bytes
from odapi.zoo.catalog import find
from odapi.zoo.download import download

HOME_VARIABLE = "ODAPI_HOME"


def cache_folder() -> pathlib.Path:
    """Returns the folder of downloads: `$ODAPI_HOME`, else `~/.cache/odapi`."""
    home = os.environ.get(HOME_VARIABLE, "")
    cache = os.environ.get("XDG_CACHE_HOME", "") or "~/.cache"
    return pathlib.Path(home or f"{cache}/odapi").expanduser()


def zoo_model(
    name: str,
    cache: str | os.PathLike[str] | None = None,
    base_url: str = "",
) -> pathlib.Path:
    """Returns the folder of an imported zoo model, downloading it if needed.

    An interrupted download is resumed. The checksum of the archive is compared with
    that of the first download, and every variable of the model must be in it.

    Args:
        name: As `odapi zoo list` prints it.
        cache: Folder for downloads; None: `cache_folder()`.
        base_url: Of a mirror; "" takes `ODAPI_ZOO_URL`, else the original server.

    Raises:
        ConfigError: There is no such model, or it is no detector.
        CheckpointError: The model cannot be downloaded, or is damaged.
    """
    model = find(name)
    if "classification" in model.tasks:
        raise ConfigError(
            name,
            "is a classification model, not a detector",
            hint="train a detector from it: odapi zoo download, then "
            "train_config.fine_tune_checkpoint",
        )
    folder = cache_folder() if cache is None else pathlib.Path(cache).expanduser()
    imported = folder / "models" / model.name
    if not imported.is_dir():
        from odapi.runtime import backend

        backend.load()
        from odapi.zoo.import_checkpoint import import_checkpoint

        with track_bytes() as progress:
            downloaded = download(name, folder / "zoo", base_url, progress)
        import_checkpoint(downloaded.folder, imported)
    return imported
