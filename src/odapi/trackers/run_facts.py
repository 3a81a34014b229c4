"""Facts by which a run can be repeated: code, command line, package versions."""

import functools
import importlib.metadata
import platform
import re
import shlex
import subprocess
import sys

from odapi.trackers.tracker import Parameter

_GIT_SECONDS = 3.0  # A repository on a slow file system must not delay the run.

_CREDENTIALS = re.compile(r"^(\w+://)[^/@]*@")  # Of a URL.

# Recorded as parameters; `package_list` has all.
_PACKAGES = (
    "odapi",
    "keras",
    "numpy",
    "tensorflow",
    "tensorflow-cpu",
    "jax",
    "torch",
    "opencv-python-headless",
)


@functools.cache
def run_facts() -> dict[str, Parameter]:
    """Returns the git commit, the command line, Python and the main packages.

    Facts of git are those of the repository of the current folder, if there is one;
    `git/is_dirty` means that files under version control were changed since the commit.
    """
    found: dict[str, Parameter] = {
        "command": shlex.join([_program(), *sys.argv[1:]]),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    found |= {f"package/{n}": v for n, v in _versions().items() if n in _PACKAGES}
    return found | git_facts()


@functools.cache
def git_facts() -> dict[str, Parameter]:
    """Returns commit, branch and state of the repository of the current folder."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}
    facts: dict[str, Parameter] = {"git/commit": commit}
    if branch := _git("rev-parse", "--abbrev-ref", "HEAD"):
        facts["git/branch"] = branch
    if remote := _git("remote", "get-url", "origin"):
        facts["git/remote"] = _CREDENTIALS.sub(r"\1", remote)
    changed = _git("status", "--porcelain", "--untracked-files=no")
    if changed is not None:
        facts["git/is_dirty"] = bool(changed)
    return facts


def package_list() -> str:
    """Returns all installed packages in the form of a requirements file."""
    return "".join(f"{name}=={version}\n" for name, version in _versions().items())


@functools.cache
def _versions() -> dict[str, str]:
    found = {}
    for package in importlib.metadata.distributions():
        name = package.metadata["Name"]
        if name:  # Leftovers of a removed package have no name.
            found[name.replace("_", "-")] = package.version
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _program() -> str:
    """Returns the name of the program: of a script, or of a module run by Python."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None and spec.name == "odapi.cli.__main__":
        return "odapi"
    name = sys.argv[0].replace("\\", "/").rsplit("/", 1)[-1] if sys.argv else ""
    return name or "python"


def _git(*arguments: str) -> str | None:
    """Returns the output of git; None if it is missing, fails or takes too long."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_GIT_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
