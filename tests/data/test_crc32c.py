import numpy as np
import pytest

from odapi.data.tfrecord.crc32c import crc32c, crc32c_all, masked_crc32c


# RFC 3720, appendix B.4, and the check value of the CRC catalogue.
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0x00000000),
        (b"123456789", 0xE3069283),
        (b"\0" * 32, 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_published_values(data, expected):
    assert crc32c(data) == expected


def bit_by_bit(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    "length", [1, 2, 3, 4, 5, 255, 256, 257, 511, 512, 513, 1000, 4097]
)
def test_any_length(length):
    data = np.random.default_rng(length).bytes(length)
    assert crc32c(data) == bit_by_bit(data)


def test_many_at_once():
    rng = np.random.default_rng(0)
    buffers = [rng.bytes(n) for n in (0, 7, 256, 3000, 0, 1)]
    assert crc32c_all(buffers).tolist() == [bit_by_bit(b) for b in buffers]
    assert crc32c_all([]).tolist() == []


def test_masked_value_of_a_record():
    # The length 0 of an empty record, from a file that TensorFlow wrote.
    assert masked_crc32c(b"\0" * 8) == 0x07980329
