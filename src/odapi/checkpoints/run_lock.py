"""A lock on the folder of a run: two trainings in it would destroy each other's work.

The file `.training-lock` is locked by the system (flock), so that the lock ends with
its process, however that dies. Its content names the holder.
"""

import contextlib
import datetime
import errno
import json
import os
import pathlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from odapi.errors import CheckpointError
from odapi.files import unwritable

FILE = ".training-lock"

# Of file systems and systems that have no such locks.
_NO_LOCKS = {
    errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL,
}  # fmt: skip
# `is_locked` holds a shared lock for a moment, which is no reason to give up.
_ATTEMPTS, _PAUSE = 3, 0.02


@contextlib.contextmanager
def locked(
    model_dir: pathlib.Path, note: Callable[[str], None] = print
) -> Iterator[None]:
    """Holds the lock of a run's folder, which is made if needed.

    On a file system without locks, a holder on this computer that still runs is
    found by its process id; of one on another computer, a warning is shown.

    Args:
        model_dir: Folder of the run. It is removed at the end if it is empty then.
        note: Gets a warning if the folder cannot be locked.

    Raises:
        CheckpointError: Another training holds the lock, or the folder cannot be
            written.
    """
    path = model_dir / FILE
    try:
        model_dir.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(path, note)
    except OSError as problem:
        raise unwritable(model_dir, problem, CheckpointError) from problem
    try:
        _write(descriptor, _me())
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)
        with contextlib.suppress(OSError):
            model_dir.rmdir()


def is_locked(model_dir: pathlib.Path) -> bool:
    """Returns whether a training writes to a folder now; never raises.

    On a file system without locks, a holder on another computer is not seen.
    """
    try:
        descriptor = os.open(model_dir / FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        _lock(descriptor, shared=True)
    except BlockingIOError:
        return True
    except OSError:
        return _runs_here(_holder(descriptor))
    finally:
        os.close(descriptor)
    return False


def _acquire(path: pathlib.Path, note: Callable[[str], None]) -> int:
    """Returns the locked file."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            holder = _holder(descriptor)
            try:
                _lock_patiently(descriptor)
            except BlockingIOError as error:
                raise _in_use(path.parent, holder) from error
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                _check_without_locks(path.parent, holder, note)
            # The one before may have deleted the file after it was opened here.
            if _is_same(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock_patiently(descriptor: int) -> None:
    for _ in range(_ATTEMPTS - 1):
        try:
            return _lock(descriptor)
        except BlockingIOError:
            time.sleep(_PAUSE)
    return _lock(descriptor)


def _lock(descriptor: int, shared: bool = False) -> None:
    """Locks a file until it is closed.

    Raises:
        BlockingIOError: Another process has locked it.
        OSError: The file system has no locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows.
        raise OSError(errno.ENOSYS, "no flock") from None
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    fcntl.flock(descriptor, kind | fcntl.LOCK_NB)


def _is_same(descriptor: int, path: pathlib.Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _me() -> dict[str, Any]:
    now = datetime.datetime.now().astimezone()
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": now.isoformat(" ", "seconds"),
        "started": _start_time(os.getpid()),
    }


def _start_time(pid: int) -> str | None:
    """Returns when a process began, in ticks of its system; None if unknown."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


def _write(descriptor: int, holder: dict[str, Any]) -> None:
    # The lock holds without its content, which a full disk may not take.
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)


def _holder(descriptor: int) -> dict[str, Any]:
    """Returns what the file says about its holder; {} if it says nothing."""
    try:
        content = json.loads(os.pread(descriptor, 4096, 0))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _in_use(model_dir: pathlib.Path, holder: dict[str, Any]) -> CheckpointError:
    who, stop = "another process", "stop it"
    if holder:
        pid, host = holder.get("pid"), holder.get("host")
        who = f"process {pid} on {host}, since {holder.get('since')}"
        stop = f"stop it (kill {pid} on {host})"
    return CheckpointError(
        str(model_dir),
        f"another training writes to this folder: {who}",
        hint=f"wait until it has ended, {stop}, or choose another --model-dir",
    )


def _check_without_locks(
    model_dir: pathlib.Path, holder: dict[str, Any], note: Callable[[str], None]
) -> None:
    """Finds out from the content of the file whether its holder still runs."""
    if not holder:
        return
    if _runs_here(holder):
        raise _in_use(model_dir, holder)
    if holder.get("host") == socket.gethostname():
        return  # It has died.
    note(
        f"warning: {model_dir} is on a file system without locks, and process "
        f"{holder.get('pid')} on {holder.get('host')} began a training there at "
        f"{holder.get('since')}. If it still runs, stop one of the two."
    )


def _runs_here(holder: dict[str, Any]) -> bool:
    """Returns whether the holder is a process of this computer that still runs."""
    pid, started = holder.get("pid"), holder.get("started")
    is_here = holder.get("host") == socket.gethostname()
    return bool(
        is_here and isinstance(pid, int) and started and _start_time(pid) == started
    )
