"""Nodes of a bidirectional feature pyramid network (BiFPN) and their inputs."""

from typing import NamedTuple


class Source(NamedTuple):
    """Input of a node: name and level of a map."""

    name: str
    level: int


class Node(NamedTuple):
    """Fusion of maps; its output is a map of the same name.

    A node with one source is a further level, downsampled from its source.
    """

    name: str
    level: int
    sources: tuple[Source, ...]


def first_map(level: int) -> str:
    """Returns the name of the input map of a level in the first round."""
    return f"round_0_up_{level}"


def wiring(low: int, top: int, high: int, rounds: int) -> list[Node]:
    """Returns the nodes of a pyramid of levels `low` to `high`, in order.

    Levels `low` to `top` are maps of the backbone, named by `first_map`; levels above
    are downsampled. Each round has a top-down pass, in which a level is fused with
    the level above, and a bottom-up pass, in which it is fused with its map before the
    round, its map of the top-down pass, and the level below. The outputs of the pyramid
    are the last nodes of the levels.

    Source: Tan et al. 2020 (https://arxiv.org/abs/1911.09070), figure 2 (d).
    """
    now = {level: Source(first_map(level), level) for level in range(low, high + 1)}
    nodes = [
        Node(now[level].name, level, (now[level - 1],))
        for level in range(top + 1, high + 1)
    ]

    def fuse(name: str, *sources: Source) -> Source:
        level = sources[0].level
        nodes.append(Node(f"{name}_{level}", level, sources))
        return Source(nodes[-1].name, level)

    for n in range(1, rounds + 1):
        down = {high: now[high]}
        for level in reversed(range(low, high)):
            down[level] = fuse(f"round_{n}_down", now[level], down[level + 1])
        up = {low: down[low]}
        for level in range(low + 1, high):
            up[level] = fuse(f"round_{n}_up", now[level], down[level], up[level - 1])
        up[high] = fuse(f"round_{n}_up", now[high], up[high - 1])
        now = up
    return nodes


def outputs(nodes: list[Node]) -> list[str]:
    """Returns the names of the output maps of a pyramid, lowest level first."""
    last = {node.level: node.name for node in nodes}
    return [last[level] for level in sorted(last)]
