"""Known answers of the hashes that stand on disk."""

from __future__ import annotations

import pytest

from dvtool.hashing.digests import digest_of
from dvtool.hashing.digests import new_hasher
from dvtool.hashing.digests import object_id
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest

EMPTY = {
    Algorithm.BLAKE3: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    Algorithm.MD5: "d41d8cd98f00b204e9800998ecf8427e",
    Algorithm.MD5TEXT: "d41d8cd98f00b204e9800998ecf8427e",
    Algorithm.SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}


@pytest.mark.parametrize("algorithm", Algorithm)
def test_the_empty_object(algorithm: Algorithm) -> None:
    assert digest_of(b"", algorithm) == Digest(algorithm, bytes.fromhex(EMPTY[algorithm]))


@pytest.mark.parametrize("algorithm", Algorithm)
def test_pieces_give_the_digest_of_the_whole(algorithm: Algorithm) -> None:
    hasher = new_hasher(algorithm)
    for piece in (b"ab", bytearray(b"c"), memoryview(b"def")):
        hasher.update(piece)
    assert hasher.digest() == digest_of(b"abcdef", algorithm).raw


def test_a_text_has_one_digest_with_either_kind_of_line_ends() -> None:
    unix, dos = b"a,b\n1,2\n" * 99, b"a,b\r\n1,2\r\n" * 99
    assert digest_of(dos, Algorithm.MD5TEXT) == digest_of(unix, Algorithm.MD5TEXT)
    assert digest_of(dos, Algorithm.MD5TEXT).raw == digest_of(unix, Algorithm.MD5).raw


def test_other_files_are_hashed_as_they_are() -> None:
    for binary in (b"\0\r\n" * 9, bytes(range(128, 255)) + b"\r\n"):
        assert digest_of(binary, Algorithm.MD5TEXT).raw == digest_of(binary, Algorithm.MD5).raw


def test_line_ends_across_two_blocks_stay() -> None:
    text = b"x" * ((1 << 20) - 1) + b"\r\n"
    assert digest_of(text, Algorithm.MD5TEXT).raw == digest_of(text, Algorithm.MD5).raw
    hasher = new_hasher(Algorithm.MD5TEXT)
    for at in range(0, len(text), 300_000):
        hasher.update(text[at : at + 300_000])
    assert hasher.digest() == digest_of(text, Algorithm.MD5).raw


def test_an_address_is_blake3() -> None:
    assert object_id(memoryview(b"abc")) == object_id(b"abc") == digest_of(b"abc").oid
    assert object_id(b"").hex() == EMPTY[Algorithm.BLAKE3]
