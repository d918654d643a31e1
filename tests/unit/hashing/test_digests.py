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


def test_an_address_is_blake3() -> None:
    assert object_id(memoryview(b"abc")) == object_id(b"abc") == digest_of(b"abc").oid
    assert object_id(b"").hex() == EMPTY[Algorithm.BLAKE3]
