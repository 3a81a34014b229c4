"""Builds the wheel from the tracked files, without network."""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def tracked_files() -> list[str]:
    """Returns the tracked files of the repository, relative to its root."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in done.stdout.split("\0") if (ROOT / name).is_file()]


def build_wheel(folder: pathlib.Path) -> pathlib.Path:
    """Returns the wheel, built in a folder of its own from a copy.

    A folder `build` of an earlier time would add its files.
    """
    source = folder / "source"
    for name in tracked_files():
        if name.startswith("src/") or "/" not in name:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *offline, "-w", str(folder), str(source)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel
