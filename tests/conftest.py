"""Fixtures and marks of all tests: shared data, the core tier, recorded durations."""

import collections
import json
import os
import pathlib
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_SHARED = pathlib.Path(os.environ.get("ODAPI_SHARED", _ROOT.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder with golden data, real configs and real data sets."""
    if not _SHARED.is_dir():
        message = f"{_SHARED} is missing; set ODAPI_SHARED to where it lies"
        if os.environ.get("CI"):
            pytest.fail(message)  # Skipping there would hide that nothing was tested.
        pytest.skip(message)
    return _SHARED


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """The root of the repository."""
    return _ROOT


warnings.simplefilter("default")


# Model code whose tests `make test` also runs on JAX; all of it, by `make test-all`.
_CORE_FOLDERS = {"geometry", "kernels", "layers", "losses", "targets"}
_CORE_FAMILIES = {"center", "ssd"}  # Of tests/contracts.
_DURATIONS = pathlib.Path(__file__).with_name("durations.json")
_LIMIT = 10.0  # Seconds of a test that is not marked slow.


def pytest_addoption(parser):
    parser.addoption(
        "--record-durations",
        action="store_true",
        help=f"write the seconds of tests longer than 2 s to {_DURATIONS.name}",
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config, items):
    for item in items:
        if item.get_closest_marker("backend") and _is_core(item):
            item.add_marker("core")
    recorded = json.loads(_DURATIONS.read_text())
    if not config.getoption("--record-durations"):
        _check_marks(items, recorded)
    result = yield  # Pytest deselects by -m.
    _longest_first(items, recorded)
    return result


def _longest_first(items, recorded):
    """Sorts the modules, so that no worker is left alone with a long one at the end."""
    seconds = collections.Counter()
    for item in items:
        seconds[item.path] += recorded.get(item.nodeid, 0)
    items.sort(key=lambda item: -seconds[item.path])


def _check_marks(items, recorded):
    unmarked = [
        f"{item.nodeid} ({recorded[item.nodeid]:.0f} s)"
        for item in items
        if recorded.get(item.nodeid, 0) > _LIMIT
        and not (item.get_closest_marker("slow") or item.get_closest_marker("parity"))
    ]
    if unmarked:
        raise pytest.UsageError(
            f"tests longer than {_LIMIT:g} s by {_DURATIONS.name} need the mark slow "
            "(or are faster now: run `make durations`): " + ", ".join(unmarked)
        )


def _is_core(item):
    folder = item.path.parent.name
    if folder != "contracts":
        return folder in _CORE_FOLDERS
    parameters = getattr(item, "callspec", None)
    names = parameters.params.values() if parameters else ()
    return any(isinstance(name, str) and name in _CORE_FAMILIES for name in names)


class _Durations:
    """Sums what each test took, set-up included, over the workers of xdist."""

    def __init__(self):
        self.seconds = collections.Counter()

    def pytest_runtest_logreport(self, report):
        self.seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self, session):
        if hasattr(session.config, "workerinput"):
            return
        long = {k: round(v, 1) for k, v in sorted(self.seconds.items()) if v > 2}
        _DURATIONS.write_text(json.dumps(long, indent=1) + "\n")


def pytest_configure(config):
    if config.getoption("--record-durations"):
        config.pluginmanager.register(_Durations())
