"""Text in the output of a notebook cell that is replaced in place."""

import sys
from typing import Any


def in_notebook() -> bool:
    """Returns whether the code runs in a Jupyter kernel, which has no terminal."""
    ipython = sys.modules.get("IPython")  # A kernel has imported it.
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


class NotebookText:
    """One text below a cell, shown with `show` and removed with `clear`."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        """Shows the text, in the place of the last one."""
        from IPython.display import display

        content = {"text/plain": text}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)

    def clear(self) -> None:
        """Removes the text."""
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)
            self._handle = None
