"""A trial of `odapi tune`: runs `odapi ARGUMENTS` until the search ends.

`python -m odapi.cli.trial PID ARGUMENTS`: when the process PID, the search, is gone,
the training saves a checkpoint and ends as after SIGTERM.
"""

import os
import signal
import sys
import threading
import time

_POLL_SECONDS = 1.0


def main() -> None:
    """Runs the command."""
    parent = int(sys.argv[1])
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    sys.argv = ["odapi", *sys.argv[2:]]
    from odapi.cli.start import main as run

    run()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
