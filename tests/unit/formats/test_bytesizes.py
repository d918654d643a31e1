from __future__ import annotations

import pytest

from dvtool.errors import UsageError
from dvtool.formats.bytesizes import is_byte_size
from dvtool.formats.bytesizes import parse_byte_size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("300", 300),
        ("500k", 500_000),
        ("2.5M", 2_500_000),
        ("1G", 10**9),
        ("1gb", 10**9),
        ("2T", 2 * 10**12),
        ("64Mi", 64 << 20),
        ("1.5KiB", 1536),
        (" 10M ", 10**7),
    ],
)
def test_sizes_as_people_write_them(text: str, expected: int) -> None:
    assert is_byte_size(text)
    assert parse_byte_size(text) == expected


@pytest.mark.parametrize("text", ["", "M", "-1", "1,5M", "1 M", "10X", "1e9", "1i", "0x10", "\u0661k", "9" * 20])
def test_others_are_refused_with_an_example(text: str) -> None:
    assert not is_byte_size(text)
    with pytest.raises(UsageError) as caught:
        parse_byte_size(text)
    assert "2.5M" in str(caught.value.hint)
