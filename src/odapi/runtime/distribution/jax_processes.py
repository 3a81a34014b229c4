"""Connects the processes of a JAX training, and ends all of them when one fails."""

import atexit
import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator

from odapi.errors import ClusterError
from odapi.runtime.compat import JaxKeyValues, KeyValuesError, abandon_jax_processes
from odapi.runtime.distribution.channel import Channel, ended, lost
from odapi.runtime.distribution.cluster import Cluster
from odapi.wording import counted

# Until all processes have connected; imports of another may take a while.
CONNECT_SECONDS = "ODAPI_CONNECT_SECONDS"
_CONNECT_SECONDS = 300
# A process whose machine is gone or out of reach is missed after so long; one that is
# killed is missed at once, by the end of its connections.
_HEARTBEAT_SECONDS = 60
_POLL_SECONDS = 0.5
_NEWS_SECONDS = 2.0  # Until a process that has failed has said why.
_GRACE_SECONDS = 5.0  # Until a process ends that was told that another has failed.


def connect(cluster: Cluster) -> "Group":
    """Connects this process to the others; waits until all are there.

    Raises:
        ClusterError: The others do not come within the time of ODAPI_CONNECT_SECONDS,
            or the port cannot be used.
    """
    import jax

    seconds = int(os.environ.get(CONNECT_SECONDS, _CONNECT_SECONDS))
    start = time.monotonic()
    if cluster.process_id:
        _wait_for_coordinator(cluster, seconds)
    else:
        _check_port(cluster)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # It would take SIGTERM for itself.
    jax.config.update("jax_enable_preemption_service", False)
    left = max(1, int(seconds - (time.monotonic() - start)))
    try:
        jax.distributed.initialize(
            cluster.coordinator,
            cluster.num_processes,
            cluster.process_id,
            cluster_detection_method="deactivate",
            initialization_timeout=left,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
        )
    except RuntimeError as error:
        raise _not_connected(cluster, seconds, str(error)) from error
    _try_collective()
    channel = Channel(JaxKeyValues(), cluster.process_id, cluster.num_processes)
    return Group(channel)


def _try_collective() -> None:
    """Exchanges a number, so that a network that cannot fails before any work.

    Gloo then writes a line to standard output, where results are expected.
    """
    import numpy as np
    from jax.experimental import multihost_utils

    sys.stdout.flush()
    output, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        multihost_utils.process_allgather(np.zeros(1, np.float32))
    finally:
        os.dup2(output, 1)
        os.close(output)
        os.close(nowhere)


def _wait_for_coordinator(cluster: Cluster, seconds: float) -> None:
    """Waits until process 0 accepts connections: JAX would end the process."""
    host, _, port = cluster.coordinator.rpartition(":")
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise _not_connected(cluster, seconds, str(error)) from error
        time.sleep(0.2)


def _check_port(cluster: Cluster) -> None:
    port = int(cluster.coordinator.rpartition(":")[2])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("", port))
    except OSError as error:
        raise ClusterError(
            "--coordinator",
            f"is {cluster.coordinator}, but port {port} cannot be used on this "
            f"machine: {error.strerror}",
            hint="choose another port, the same for all processes; is another "
            "training with this port running?",
        ) from error


def _not_connected(cluster: Cluster, seconds: float, reason: str) -> ClusterError:
    number = counted(cluster.num_processes, "process", "processes")
    if cluster.process_id == 0:
        problem = f"not all of {number} have connected within {seconds} s"
    else:
        problem = (
            f"process 0 cannot be reached at {cluster.coordinator} for {seconds} s"
        )
    return ClusterError(
        "--coordinator" if not cluster.source else cluster.source,
        f"{problem}: {reason.splitlines()[0] if reason else 'no answer'}",
        hint="start all processes with the same --coordinator HOST:PORT, the address "
        "of the machine of process 0, which the others can reach through their "
        "firewalls, and each with its own --process-id; the time is set by "
        f"{CONNECT_SECONDS}",
    )


# In messages of XLA, by the library that carries its collectives.
_OF_CONNECTION = ("Gloo", "gloo", "NCCL", "UNAVAILABLE", "Connection", "DEADLINE")


class Group:
    """The connected processes: they begin and end a training together.

    Attributes:
        channel: Messages between them.
    """

    def __init__(self, channel: Channel):
        self.channel = channel

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """See `Strategy.together`.

        Raises:
            ClusterError: Another process has ended.
        """
        watch = Watch(self.channel)
        try:
            yield
            # No process ends while another still needs it.
            self.channel.gather(None)
            self.channel.broadcast(lambda: None)
        except BaseException as error:
            cause = self._cause(error)
            self.fail(cause)
            if cause is error:
                raise
            raise cause from error
        finally:
            watch.stop()

    def fail(self, error: BaseException) -> None:
        """Ends the other processes because of an error in this one."""
        channel = self.channel
        with contextlib.suppress(KeyValuesError):
            if channel.failure(0.01) is None:  # The first error is the cause.
                channel.fail(_message(error))
            if channel.process_id == 0:
                channel.leave()
            else:
                # The end of process 0 aborts this one, which is to say why before.
                atexit.register(self._leave)
        # JAX would wait for the others at the end of the program.
        abandon_jax_processes()

    def _leave(self) -> None:
        with contextlib.suppress(KeyValuesError):
            self.channel.leave()

    def _cause(self, error: BaseException) -> BaseException:
        """Returns the error that ended another process, if that caused this one."""
        if not _is_of_connection(error):
            return error
        with contextlib.suppress(KeyValuesError):
            failure = self.channel.failure(_NEWS_SECONDS)
            if failure is not None and failure["process"] != self.channel.process_id:
                cause = ended(failure)
                return error if str(error) == str(cause) else cause
        return error if isinstance(error, ClusterError) else lost()


def _message(error: BaseException) -> str:
    """Returns an error for the messages of other processes, without its hint."""
    text, _, _ = str(error).partition("\n  hint: ")
    if isinstance(error, ClusterError):
        return text
    return ": ".join(filter(None, (type(error).__name__, text)))


def _is_of_connection(error: BaseException) -> bool:
    """Returns whether another process is missing, as far as errors of XLA tell."""
    import jax

    if isinstance(error, ClusterError):
        return True
    if not isinstance(error, jax.errors.JaxRuntimeError | ValueError):
        return False
    return any(word in str(error) for word in _OF_CONNECTION)


class Watch:
    """A thread that ends this process after another has failed.

    The main thread may be waiting for the other one in native code, which no signal and
    no exception reaches.

    Args:
        channel: The other processes.
    """

    def __init__(self, channel: Channel):
        self._channel = channel
        self._is_over = threading.Event()
        self._stderr = os.dup(2)
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch: other processes may end now."""
        self._is_over.set()
        # Python would end the thread within native code, which aborts the process.
        self._thread.join()

    def _wait(self) -> None:
        failure = None
        while failure is None and not self._is_over.is_set():
            try:
                failure = self._channel.failure(_POLL_SECONDS)
            except KeyValuesError:
                return  # The coordinator is gone: the main thread notices.
        if failure is None or failure["process"] == self._channel.process_id:
            return
        # The main thread may be ending by itself, with its own files to close.
        if self._is_over.wait(_GRACE_SECONDS):
            return
        text = f"{ClusterError.__name__}: {ended(failure)}\n"
        os.write(self._stderr, text.encode(errors="backslashreplace"))
        with contextlib.suppress(KeyValuesError):
            self._channel.leave()
        os._exit(1)
