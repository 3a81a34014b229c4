"""The object graph of a TF2 checkpoint.

A variable is stored under one path through the graph, but may have several paths.

Source: tensorflow/core/protobuf/trackable_object_graph.proto.
"""

import dataclasses
import re

from odapi.checkpoints.index.messages import TrackableObjectGraph, parse_graph


@dataclasses.dataclass
class _Node:
    children: dict[str, int] = dataclasses.field(default_factory=dict)
    keys: list[str] = dataclasses.field(default_factory=list)
    slots: list[tuple[int, str, int]] = dataclasses.field(default_factory=list)


class ObjectGraph:
    """Objects with named children, the root first.

    Args:
        data: The serialized message.

    Raises:
        ValueError: It is damaged.
    """

    def __init__(self, data: bytes):
        self._nodes = [_node(node) for node in parse_graph(data).nodes]
        self._check()
        self._slots = {
            (of, name): slot for node in self._nodes for of, name, slot in node.slots
        }

    def key(self, path: str) -> str | None:
        """Returns the key under which the variable at a path is stored."""
        node = self._find(path)
        return None if node is None else self._key(node)

    def slot_key(self, path: str, name: str) -> str | None:
        """Returns the key of an optimizer slot of the variable at a path.

        Args:
            path: Of the variable.
            name: For example "momentum".
        """
        node = self._find(path)
        slot = None if node is None else self._slots.get((node, name))
        return None if slot is None else self._key(slot)

    def slot_names(self) -> set[str]:
        """Returns the names of the optimizer slots."""
        return {name for _, name in self._slots}

    def _find(self, path: str) -> int | None:
        at: int | None = 0 if self._nodes else None
        for name in path.split("/"):
            if at is None:
                return None
            at = self._nodes[at].children.get(unescaped(name))
        return at

    def _key(self, node: int) -> str | None:
        keys = self._nodes[node].keys
        return keys[0] if keys else None

    def _check(self) -> None:
        count = len(self._nodes)
        for node in self._nodes:
            named = [*node.children.values()]
            for of, _, slot in node.slots:
                named += [of, slot]
            if any(i >= count for i in named):
                raise ValueError(f"the graph refers to an object beyond its {count}")


def unescaped(name: str) -> str:
    """Returns the name of a child in the graph from its escaped form in keys.

    >>> unescaped("box.Sscale"), unescaped("a..b")
    ('box/scale', 'a.b')
    """
    return re.sub(r"\.([.S])", lambda m: "." if m[1] == "." else "/", name)


def _node(message: TrackableObjectGraph.TrackableObject) -> _Node:
    return _Node(
        children={child.local_name: child.node_id for child in message.children},
        keys=[tensor.checkpoint_key for tensor in message.attributes],
        slots=[
            (s.original_variable_node_id, s.slot_name, s.slot_variable_node_id)
            for s in message.slot_variables
        ],
    )
