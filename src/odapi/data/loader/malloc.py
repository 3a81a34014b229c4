"""Settings of the C library for freed memory."""

import ctypes
import functools

# As in malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_ALL = 2**31 - 1  # Bytes; the maximum of the call.


@functools.cache
def keep_freed_memory() -> bool:
    """Makes this process keep freed memory for reuse.

    By default glibc returns blocks of several megabytes to the system immediately,
    which must then clear new pages for the next image or feature map: measured,
    150 000 page faults and a quarter of the CPU time of a training step, and four
    fifths of that of a chain of color operations. All threads share one arena, since
    every arena returns memory and fragments separately.

    Returns:
        Whether the C library has these settings and accepted them. Call it early:
        existing arenas of threads remain.
    """
    try:
        libc = ctypes.CDLL(None)
        set_option = libc.mallopt
        _ = libc.gnu_get_libc_version
    except (OSError, TypeError, AttributeError):
        return False  # Not glibc: there is nothing to set.
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, _ALL), (_ARENA_MAX, 1))
    return all([bool(set_option(*setting)) for setting in settings])
