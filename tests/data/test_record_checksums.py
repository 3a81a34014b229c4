"""Checksums of records: CRC-32C, masked."""

import pytest

from odapi.data.tfrecord.records import masked_crc32c


def unmasked(value):
    value = (value - 0xA282EAD8) & 0xFFFFFFFF
    return (value >> 17 | value << 15) & 0xFFFFFFFF


# RFC 3720, appendix B.4, and the check value of the CRC catalogue.
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
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
def test_published_values(data, expected, kind):
    assert unmasked(masked_crc32c(kind(data))) == expected


def test_masked_value_of_a_record():
    # The length 0 of an empty record, from a file that TensorFlow wrote.
    assert masked_crc32c(b"\0" * 8) == 0x07980329
