"""Settings of experiment trackers that these refuse or that have no effect."""

import re
from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error, warning
from odapi.config.load import options

SERVICES = ("clearml", "mlflow", "wandb")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HOST_AND_PORT = re.compile(r"[A-Za-z0-9.-]+:\d+(/|$)")
_NOT_IN_PROJECT = "/\\#?%:"  # Of Weights & Biases.


def find(config: Any) -> Iterator[Finding]:
    """Yields names and tags that no tracker reads."""
    if not options(config).HasField("trackers"):
        return
    trackers = options(config).trackers
    if any(trackers.HasField(name) for name in SERVICES):
        return
    for name in ("name", "tags"):
        if getattr(trackers, name):
            yield warning(
                f"options.trackers.{name}",
                "has no effect: no tracker that reads it is turned on",
                f"add a block of {', '.join(SERVICES[:-1])} or {SERVICES[-1]}",
            )


def about_clearml(path: str, tracker: Any) -> Iterator[Finding]:
    """Yields a project without a name, and an upload of what stays in a file."""
    yield from _empty(path, tracker, "project")
    if tracker.output_uri and tracker.mode:
        yield warning(
            f"{path}.output_uri",
            "has no effect: with mode OFFLINE, the file of the session has them",
        )


def about_mlflow(path: str, tracker: Any) -> Iterator[Finding]:
    """Yields an experiment without a name, and URIs that MLflow cannot read."""
    yield from _empty(path, tracker, "experiment")
    uri, place = tracker.tracking_uri, f"{path}.tracking_uri"
    if not uri or uri == "databricks":
        return
    if _HOST_AND_PORT.match(uri):
        yield error(place, f"{uri!r} has no scheme", f'write "http://{uri}"')
    elif re.match(r"sqlite:/{0,2}[^/]", uri):
        file = uri.removeprefix("sqlite:").lstrip("/")
        yield error(
            place,
            f"{uri!r} has less than three slashes",
            f'write "sqlite:///{file}", or four slashes before an absolute path',
        )
    elif not _SCHEME.match(uri):
        yield error(
            place,
            f"{uri!r} is not a URI",
            'write "http://HOST:PORT" of a server, or "sqlite:///mlflow.db" for a file',
        )


def about_wandb(path: str, tracker: Any) -> Iterator[Finding]:
    """Yields names of projects that Weights & Biases refuses."""
    yield from _empty(path, tracker, "project")
    found = [c for c in _NOT_IN_PROJECT if c in tracker.project]
    if found:
        yield error(
            f"{path}.project",
            f"{tracker.project!r} has {found[0]!r}, which Weights & Biases refuses",
            f"the name of a project has none of {' '.join(_NOT_IN_PROJECT)}; that of "
            "the team goes into entity",
        )


def _empty(path: str, tracker: Any, name: str) -> Iterator[Finding]:
    if not getattr(tracker, name).strip():
        yield error(f"{path}.{name}", "is empty", "give a name, or leave it out")
