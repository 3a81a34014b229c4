"""How the C library treats the memory of pictures that are done with."""

import ctypes
import functools

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # As in malloc.h.

_LARGEST_KEPT = 32 << 20  # Bytes of one block; glibc allows no more.
_KEPT = 256 << 20  # Bytes of free memory, at most, that stay with the process.


@functools.cache
def keep_freed_memory() -> bool:
    """Lets this process keep memory that it has freed, up to 256 MB.

    A picture takes some megabytes, for milliseconds. By default glibc gives such
    memory back to the system at once, which then has to clear new pages for the next
    picture: measured, a chain of colour changes took five times as long.

    Returns:
        Whether the C library has such a setting and took it.
    """
    try:
        libc = ctypes.CDLL(None)
        set_option = libc.mallopt
        _ = libc.gnu_get_libc_version
    except (OSError, TypeError, AttributeError):
        return False  # Not glibc: nothing to set, nothing to mend.
    kept = set_option(_MMAP_THRESHOLD, _LARGEST_KEPT)
    return bool(kept and set_option(_TRIM_THRESHOLD, _KEPT))
