"""16-bit formats that a processor computes in."""

import pytest

from odapi.runtime.cpu import cpu_features
from odapi.runtime.half_precision import cpu_half_precision

# Excerpts of /proc/cpuinfo: of an Epyc (Zen 4), a Xeon with AMX, an older Xeon and a
# Neoverse V1.
_ZEN4 = "processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16 avx512_vnni\n"
_AMX = "flags\t: avx512f avx512_bf16 amx_bf16 avx512_fp16 amx_tile\n"
_OLD = "model name\t: Xeon\nflags\t: avx2 avx512f avx512_vnni\n"
_ARM = "processor\t: 0\nFeatures\t: fp asimd sve bf16 i8mm\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_ZEN4, ("BFLOAT16", "avx512_bf16")),
        (_AMX, ("BFLOAT16", "amx_bf16 and avx512_bf16")),
        (_ARM, ("BFLOAT16", "bf16")),
        (_OLD, ("", "the processor has neither amx_bf16 nor avx512_bf16")),
        ("nothing known\n", ("", "the features of the processor are unknown")),
    ],
)
def test_the_format_of_a_processor(tmp_path, text, expected):
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert cpu_half_precision(cpu_features(file)) == expected


def test_without_the_file_there_are_no_features(tmp_path):
    assert cpu_features(tmp_path / "none") == frozenset()
