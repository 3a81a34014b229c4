"""The processes that train together, on one machine or several."""

import dataclasses

from odapi.errors import ConfigError

_MAX_PORT = 65535


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes of one training, as one of them sees it.

    Args:
        coordinator: Host and port of process 0, such as "10.0.0.1:1234"; every process
            connects to it.
        num_processes: Number of processes, 1 or more.
        process_id: Number of this process, counted from 0.
        local_id, num_local: Number of this process among those of its machine, and
            their number, where a launcher tells. Each takes its share of the GPUs.
        source: Where a launcher has set the values, for messages; "" for flags.

    Raises:
        ConfigError: A value is out of range, or the coordinator has another form.
    """

    coordinator: str
    num_processes: int
    process_id: int
    local_id: int = 0
    num_local: int = 1
    source: str = ""

    def __post_init__(self) -> None:
        host, colon, port = self.coordinator.rpartition(":")
        is_port = port.isdecimal() and 0 < int(port) <= _MAX_PORT
        if not (host and colon and is_port):
            raise ConfigError(
                "--coordinator",
                f"is {self.coordinator!r}; it must be HOST:PORT of process 0, with a "
                f"port from 1 to {_MAX_PORT}",
                hint="such as 10.0.0.1:1234; the same for all processes",
            )
        if self.num_processes < 1:
            raise ConfigError(
                "--num-processes", f"must be 1 or more, got {self.num_processes}"
            )
        if not 0 <= self.process_id < self.num_processes:
            raise ConfigError(
                "--process-id",
                f"is {self.process_id}; with {self.num_processes} processes it must be "
                f"from 0 to {self.num_processes - 1}, different for each process",
            )
