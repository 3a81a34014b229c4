"""CRC-32C, the checksum of TFRecord files, in NumPy.

The standard library has another polynomial only. The checksum is linear over bits:
short lanes of all buffers are run side by side, and joined by the shift operators of
whole powers of two. That reads some hundred megabytes a second on one core.

Source: RFC 3720, appendix B.4 (the polynomial, reflected); the masking is TFRecord's.
"""

import functools
from collections.abc import Sequence

import numpy as np

Buffer = bytes | bytearray | memoryview

_POLYNOMIAL = 0x82F63B78
_LANE = 256  # Bytes; short lanes mean little padding, long ones fewer joins.
_MASK_DELTA = 0xA282EAD8
_SEED = np.uint32(0xFFFFFFFF)


def crc32c(data: Buffer) -> int:
    """Returns the checksum of one buffer.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    return int(crc32c_all([data])[0])


def masked_crc32c(data: Buffer) -> int:
    """Returns the checksum as TFRecord files store it."""
    return int(mask(crc32c_all([data]))[0])


def mask(crc: np.ndarray) -> np.ndarray:
    """Turns checksums `[n]` uint32 into those that TFRecord files store."""
    crc = crc.astype(np.uint32)
    return ((crc >> 15) | (crc << np.uint32(17))) + np.uint32(_MASK_DELTA)


def crc32c_all(buffers: Sequence[Buffer]) -> np.ndarray:
    """Returns the checksums `[n]` uint32 of many buffers at once."""
    lengths = np.array([len(b) for b in buffers], np.int64)
    counts = np.maximum(-(-lengths // _LANE), 1)
    ends = np.cumsum(counts)
    # Zeros in front do not change a checksum that starts at 0.
    padded = np.zeros(int(ends[-1]) * _LANE if len(buffers) else 0, np.uint8)
    for buffer, length, end in zip(buffers, lengths, ends, strict=True):
        stop = int(end) * _LANE
        padded[stop - int(length) : stop] = np.frombuffer(buffer, np.uint8)
    crc = _lanes(padded.view("<u4").reshape(-1, _LANE // 4))
    # Lanes behind a lane, in its buffer.
    behind = np.repeat(ends, counts) - np.arange(len(crc)) - 1
    crc = _shift(crc, behind, _LANE)
    joined = np.bitwise_xor.reduceat(crc, ends - counts) if len(crc) else crc
    start = _shift(np.full(len(buffers), _SEED), lengths, 1)
    return joined ^ start ^ _SEED


def _lanes(words: np.ndarray) -> np.ndarray:
    """Returns the checksums, started at 0, of the rows of `[n, words]`."""
    low, high = _tables()
    crc = np.zeros(len(words), np.uint32)
    for column in np.ascontiguousarray(words.T):
        crc ^= column
        crc = low[crc & 0xFFFF] ^ high[crc >> 16]
    return crc


@functools.lru_cache(maxsize=1)
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Returns what the two halves of a word become after four bytes: `[65536]`."""
    crc: np.ndarray = np.arange(1 << 16, dtype=np.uint32)
    for _ in range(16):
        crc = (crc >> 1) ^ np.where(crc & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    # `crc` is what a high half becomes; a low one goes through two bytes more.
    low = (crc >> 16) ^ crc[crc & 0xFFFF]
    return low, crc


def _shift(crc: np.ndarray, count: np.ndarray, unit: int) -> np.ndarray:
    """Lets `count[i]` times `unit` zero bytes follow on `crc[i]`."""
    crc = crc.copy()
    power = unit.bit_length() - 1  # `unit` is a power of two.
    while len(count) and count.max() > 0:
        odd = np.flatnonzero(count & 1)
        if len(odd):
            tables = _zero_bytes(power)
            part = crc[odd]
            crc[odd] = (
                tables[0][part & 0xFF]
                ^ tables[1][part >> 8 & 0xFF]
                ^ tables[2][part >> 16 & 0xFF]
                ^ tables[3][part >> 24]
            )
        count = count >> 1
        power += 1
    return crc


@functools.lru_cache(maxsize=64)
def _zero_bytes(power: int) -> np.ndarray:
    """Returns tables `[4, 256]` for each byte of a checksum and 2**power zeros."""
    bits = [1 << i for i in range(32)]
    if power == 0:
        for _ in range(8):
            bits = [(b >> 1) ^ (_POLYNOMIAL if b & 1 else 0) for b in bits]
    else:
        half = _zero_bytes(power - 1)
        value = np.array(bits, np.uint32)
        for _ in range(2):
            value = (
                half[0][value & 0xFF]
                ^ half[1][value >> 8 & 0xFF]
                ^ half[2][value >> 16 & 0xFF]
                ^ half[3][value >> 24]
            )
        bits = value.tolist()
    tables = np.zeros((4, 256), np.uint32)
    for byte in range(4):
        for bit in range(8):
            with_bit = np.arange(256) >> bit & 1 == 1
            tables[byte, with_bit] ^= np.uint32(bits[8 * byte + bit])
    return tables
