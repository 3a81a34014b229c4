"""Names of hosts in the short form of SLURM."""

import itertools
import re

from odapi.errors import ConfigError

# Commas outside of brackets separate hosts.
_HOST = re.compile(r"(?:[^,\[\]]|\[[^\[\]]*\])+")
_PART = re.compile(r"\[([^\[\]]*)\]")
_RANGE = re.compile(r"(\d+)(?:-(\d+))?$")
_MAX_HOSTS = 100_000


def expand_node_list(text: str) -> list[str]:
    """Returns the hosts of a list such as that of SLURM_JOB_NODELIST, in its order.

    >>> expand_node_list("gpu[01-03,7],login")
    ['gpu01', 'gpu02', 'gpu03', 'gpu7', 'login']

    Raises:
        ConfigError: The list has another form.
    """
    hosts = _HOST.findall(text)
    if ",".join(hosts) != text:
        raise _wrong(text)
    return [name for host in hosts for name in _expanded(host, text)]


def _expanded(host: str, text: str) -> list[str]:
    # Text and ranges in turns: several ranges are possible.
    parts = [
        _numbers(part, text) if i % 2 else [part]
        for i, part in enumerate(_PART.split(host))
    ]
    return ["".join(names) for names in itertools.product(*parts)]


def _numbers(ranges: str, text: str) -> list[str]:
    """Returns the numbers of ranges such as "01-03,7", with their leading zeros."""
    numbers: list[str] = []
    for part in ranges.split(","):
        found = _RANGE.match(part)
        first, last = (found[1], found[2] or found[1]) if found else ("1", "0")
        if not 0 <= int(last) - int(first) < _MAX_HOSTS:
            raise _wrong(text)
        numbers += [f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1)]
    return numbers


def _wrong(text: str) -> ConfigError:
    return ConfigError(
        "SLURM_JOB_NODELIST",
        f"is {text!r}, which is no list of hosts such as node[01-04],login",
        hint="give --coordinator, --num-processes and --process-id instead",
    )
