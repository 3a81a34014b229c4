"""Height and width of images and maps, also where only a graph that runs knows them."""

from collections.abc import Sequence

from keras import ops

from odapi.structures import Tensor

# Numbers, or int32 scalars of a graph.
MapSize = tuple[int | Tensor, int | Tensor]


def map_size(maps: Tensor) -> MapSize:
    """Returns height and width of `maps [b, h, w, c]`.

    They are numbers, or scalars of the graph in an exported model whose images have no
    fixed size.
    """
    height, width = maps.shape[1:3]
    if height is not None and width is not None:
        return int(height), int(width)
    _, height, width, _ = ops.shape(maps)
    return height, width


def is_static(size: Sequence[int | Tensor]) -> bool:
    """Returns whether all lengths are numbers."""
    return all(isinstance(side, int) for side in size)
