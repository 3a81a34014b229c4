"""Registration of detectors with Keras, for `keras.models.load_model`.

Keras loads objects of other packages only from its registry. `import odapi` imports no
Keras, so the registration happens as soon as somebody imports Keras: at once if it is
imported already, else at the end of its import. Detector classes are not imported for
it: a stand-in is registered under the name of each, and a detector is rebuilt from its
config by `odapi.build` when it is loaded.

Keras takes TensorFlow if it is told no backend; that import is also where it is told
the one that is installed.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

PACKAGE = "odapi"
# The classes that `build_detector` returns; a contract test compares them.
DETECTORS = ("AnchorDetector", "CenterNet", "ContextRCNN", "FasterRCNN", "RFCN")

_BUILDER = "odapi.build.rebuild"  # By name: this module is below it.


def rebuild(config: dict[str, Any]) -> Any:
    """Returns the detector that `Detector.get_config` describes."""
    return importlib.import_module(_BUILDER).rebuild_detector(config)


class SavedDetector:
    """Stand-in for a detector class in the registry of Keras."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Returns the detector that `Detector.get_config` describes."""
        return rebuild(config)


def register() -> None:
    """Registers all detector classes; Keras is imported."""
    objects = sys.modules["keras"].saving.get_custom_objects()
    for name in DETECTORS:
        # A class that was imported registers itself, and stays.
        objects.setdefault(f"{PACKAGE}>{name}", SavedDetector)


def register_with_keras() -> None:
    """Registers all detector classes as soon as Keras is imported."""
    if hasattr(sys.modules.get("keras"), "saving"):
        register()
    elif not any(isinstance(finder, _KerasImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _KerasImport())


class _KerasImport(importlib.abc.MetaPathFinder):
    """Finds Keras as Python does; calls `register` after its import."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras":
            return None
        from odapi.runtime.backend_choice import prefer_installed

        prefer_installed()
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:  # Somebody may have looked for Keras only.
            sys.meta_path.insert(0, self)
        if spec is not None and spec.loader is not None:
            spec.loader = _RegisteringLoader(spec.loader)
        return spec


class _RegisteringLoader(importlib.abc.Loader):
    """Loads a module by another loader, then calls `register`."""

    def __init__(self, loader: Any):
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        register()
        sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, _KerasImport)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)  # get_data, get_source, is_package ...
