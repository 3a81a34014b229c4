"""Installed packages, backends and devices, with install commands for the missing."""

import dataclasses
import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Iterator

from odapi.errors import MissingPackageError, OdapiError
from odapi.runtime.backend import load
from odapi.runtime.backend_choice import BACKENDS, choose, is_installed
from odapi.runtime.cpus import num_cpus

OK, MISSING, OPTIONAL, BROKEN = "ok", "missing", "not installed", "broken"

# Module, distributions that provide it, and what it is for.
_CORE = (
    ("keras", ("keras",), "models"),
    ("numpy", ("numpy",), "arrays"),
    ("google.protobuf", ("protobuf",), "pipeline.config and tf.Example"),
    ("cv2", ("opencv-python-headless", "opencv-python"), "image files and warps"),
    ("simplejpeg", ("simplejpeg",), "JPEG decoding"),
    ("grain", ("grain",), "order and position of the input"),
    ("hotcoco", ("hotcoco",), "COCO metrics"),
    ("h5py", ("h5py",), "weight files"),
    ("yaml", ("PyYAML",), "data.yaml of YOLO datasets"),
)
_BACKENDS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow_cpu"),
    "jax": ("jax",),
    "torch": ("torch",),
}
# Module, distributions, purpose, extra.
_EXTRAS = (
    ("tensorboard", ("tensorboard",), "event files", "track"),
    ("sklearn", ("scikit-learn",), "digits of odapi quickstart", "quickstart"),
    ("apache_beam", ("apache-beam",), "odapi tools", "beam"),
)


@dataclasses.dataclass(frozen=True)
class Component:
    """One line of the report.

    Args:
        name: Package, backend or resource.
        status: "ok", "missing" (required), "not installed" (optional) or "broken".
        version: Installed version, or the amount of a resource.
        note: Purpose, devices, or the reason of a failure.
        install: Command that installs it, where it is not installed.
    """

    name: str
    status: str = OK
    version: str = ""
    note: str = ""
    install: str = ""


def environment() -> list[Component]:
    """Returns the state of this environment; imports the active backend only."""
    return [
        Component("odapi", version=_version(("odapi",))),
        Component("python", version=platform.python_version(), note=sys.executable),
        *(_package(*row) for row in _CORE),
        *_backends(),
        *(_package(*row) for row in _EXTRAS),
        *_resources(),
    ]


def is_usable(components: list[Component]) -> bool:
    """Returns whether models run here: nothing required is missing or broken."""
    return all(c.status in (OK, OPTIONAL) for c in components)


def _package(
    module: str, distributions: tuple[str, ...], purpose: str, extra: str = ""
) -> Component:
    name = distributions[0]
    if is_installed(module):
        return Component(name, OK, _version(distributions), purpose)
    install = f'pip install "odapi[{extra}]"' if extra else f"pip install {name}"
    return Component(name, OPTIONAL if extra else MISSING, "", purpose, install)


def _backends() -> Iterator[Component]:
    try:
        active, reason = choose()
    except OdapiError as error:
        active, reason = "", ""
        yield _no_backend(error)
    for name in BACKENDS:
        if not is_installed(name):
            install = f'pip install "odapi[{name}]"'
            yield Component(name, OPTIONAL, note="backend", install=install)
        elif name == active:
            yield _active(name, reason)
        else:
            version = _version(_BACKENDS[name])
            yield Component(name, OK, version, f"KERAS_BACKEND={name} selects it")


def _no_backend(error: OdapiError) -> Component:
    note = f"{error.place}: {error.problem}"
    if isinstance(error, MissingPackageError):
        return Component("backend", MISSING, note=note, install=error.hint)
    return Component("backend", BROKEN, note=f"{note}; {error.hint}".rstrip("; "))


def _active(name: str, reason: str) -> Component:
    version = _version(_BACKENDS[name])
    try:
        load()
        found = _devices(name)
    except Exception as error:  # Whatever a broken installation raises.
        failure = f"{type(error).__name__}: {error}".splitlines()[0]
        return Component(
            name,
            BROKEN,
            version,
            f"active backend ({reason}) cannot be imported: {failure}",
            f'pip install --force-reinstall "odapi[{name}]"',
        )
    devices = ", ".join(found)
    return Component(
        name, OK, version, f"active backend ({reason}), devices: {devices}"
    )


def _devices(backend: str) -> list[str]:
    """Returns names of the backend's devices, accelerators first."""
    if backend == "tensorflow":
        import tensorflow as tf

        found = [d.name.partition(":")[2] for d in tf.config.list_physical_devices()]
    elif backend == "jax":
        import jax

        found = [f"{d.platform.upper()}:{d.id}" for d in jax.devices()]
    else:
        import torch

        found = [f"CUDA:{n}" for n in range(torch.cuda.device_count())] + ["CPU:0"]
    return sorted(found, key=lambda name: (name.startswith("CPU"), name))


def _resources() -> Iterator[Component]:
    yield Component("cpu", version=f"{num_cpus()} cores", note=platform.machine())
    free = shutil.disk_usage(".").free / 1e9
    yield Component("disk", version=f"{free:.0f} GB free", note="current folder")


def _version(distributions: tuple[str, ...]) -> str:
    for name in distributions:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "unknown version"
