"""Which maps meet where in a bidirectional feature pyramid: names, no weights."""

from typing import NamedTuple


class Source(NamedTuple):
    """A map that a node takes in: its name and its level."""

    name: str
    level: int


class Node(NamedTuple):
    """A place where maps meet; what comes out is a map of its name.

    A node with one source makes a further level of it by halving.
    """

    name: str
    level: int
    sources: tuple[Source, ...]


def first_map(level: int) -> str:
    """Returns the name of the map of a level that the first round starts from."""
    return f"round_0_up_{level}"


def wiring(low: int, top: int, high: int, rounds: int) -> list[Node]:
    """Returns the nodes of a pyramid of levels `low` to `high`, in order.

    The backbone gives levels `low` to `top`, as `first_map`; levels above are made
    by halving. Each round goes down, where a level meets the one above, then up,
    where it meets what it was before the round, what it was on the way down, and
    the level below. The last nodes of the levels are what the pyramid gives.

    Source: Tan et al. 2020 (https://arxiv.org/abs/1911.09070), figure 2 (d).
    """
    now = {level: Source(first_map(level), level) for level in range(low, high + 1)}
    nodes = [
        Node(now[level].name, level, (now[level - 1],))
        for level in range(top + 1, high + 1)
    ]

    def meet(name: str, *sources: Source) -> Source:
        level = sources[0].level
        nodes.append(Node(f"{name}_{level}", level, sources))
        return Source(nodes[-1].name, level)

    for n in range(1, rounds + 1):
        down = {high: now[high]}
        for level in reversed(range(low, high)):
            down[level] = meet(f"round_{n}_down", now[level], down[level + 1])
        up = {low: down[low]}
        for level in range(low + 1, high):
            up[level] = meet(f"round_{n}_up", now[level], down[level], up[level - 1])
        up[high] = meet(f"round_{n}_up", now[high], up[high - 1])
        now = up
    return nodes


def outputs(nodes: list[Node]) -> list[str]:
    """Returns the names of the maps that a pyramid gives, lowest level first."""
    last = {node.level: node.name for node in nodes}
    return [last[level] for level in sorted(last)]
