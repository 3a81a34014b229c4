"""Reads samples of a dataset in threads, in order and with bounded memory."""

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def read_ahead(
    read: Callable[[int], _T], indices: Iterable[int], threads: int
) -> Iterator[_T]:
    """Yields `read(index)` for each index, in their order.

    Args:
        read: Called in threads.
        indices: What to read.
        threads: Number of threads; four times as many results wait in memory at most.
    """
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        waiting: collections.deque[concurrent.futures.Future[_T]] = collections.deque()
        try:
            for index in indices:
                waiting.append(pool.submit(read, index))
                if len(waiting) >= 4 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
