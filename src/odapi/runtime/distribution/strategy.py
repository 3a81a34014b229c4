"""The interface between a training and its devices and processes."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras


class Strategy:
    """One process with one device; the base class of all strategies.

    Every method works here, and does what a single device needs: nothing. A strategy
    overrides what differs.

    Attributes:
        num_devices: Devices of all processes together; a batch is divided among them.
        num_processes: Processes that train together.
        process_id: Number of this process, counted from 0.
        shares_batch_norm: True if batch norm that is not synchronized computes its
            statistics over the global batch nevertheless, as one program sees it.
        accumulates: True if a step can compute a batch in parts.
    """

    num_devices = 1
    num_processes = 1
    process_id = 0
    shares_batch_norm = False
    accumulates = True

    @property
    def is_chief(self) -> bool:
        """True in the process that writes files and prints: process 0."""
        return self.process_id == 0

    @property
    def is_alone(self) -> bool:
        """True if no other process trains with this one."""
        return self.num_processes == 1

    def lines(self) -> list[str]:
        """Returns lines for the user about the devices; none for a single one."""
        return []

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Returns a context in which variables are created, and in which `fit` runs."""
        return contextlib.nullcontext()

    def local(self, model: keras.Model) -> contextlib.AbstractContextManager[Any]:
        """Returns a context in which a model runs on one device of this process.

        Evaluation uses it, which gives each process images of its own. Changes of the
        weights within the context are lost.
        """
        return contextlib.nullcontext()

    def together(self) -> contextlib.AbstractContextManager[Any]:
        """Returns a context for the whole run: its end is that of all processes.

        At the end, each waits for the others; an error within the context ends them.
        """
        return contextlib.nullcontext()

    def gather(self, value: Any) -> list[Any]:
        """Returns the values of all processes in process 0, and [] in the others.

        Every process calls it.

        Args:
            value: Of dicts with string keys, lists, strings, numbers, booleans, None
                and NumPy arrays of numbers. Tuples become lists.
        """
        return [value]

    def on_chief(self, function: Callable[[], Any]) -> Any:
        """Returns, in every process, the result of a function that process 0 calls.

        Every process calls it. An error of the function ends all of them.

        Args:
            function: Its result is as for `gather`.
        """
        return function()

    def should_stop(self, reason: str) -> str:
        """Returns why a training ends after the step that is done; "": it does not.

        Every process calls it once after every step, and gets the same answer, which
        comes one step after the request where there are several processes.

        Args:
            reason: Why this process asks to end, such as a signal; "": it does not.
        """
        return reason
