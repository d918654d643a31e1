"""Digests are typed and have one text form."""

from __future__ import annotations

import pytest

from dvtool.errors import FormatError
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.digest import ObjectId
from dvtool.model.digest import algorithm_of_code
from dvtool.model.digest import as_digest
from dvtool.model.digest import is_adopted
from dvtool.model.digest import parse_digest


@pytest.mark.parametrize("algorithm", Algorithm)
def test_text_and_number_lead_back(algorithm: Algorithm) -> None:
    digest = Digest(algorithm, bytes(range(algorithm.size)))
    assert parse_digest(str(digest)) == digest
    assert algorithm_of_code(algorithm.code) is algorithm


@pytest.mark.parametrize(
    "text",
    [
        "",
        "blake3",
        "blake3:",
        "blake3:" + "0" * 63,
        "blake3:" + "0" * 65,
        "blake3:" + "A" * 64,
        "blake3:" + "g" * 64,
        "blake3:" + "0" * 64 + "\n",
        " blake3:" + "0" * 64,
        "BLAKE3:" + "0" * 64,
        "0" * 64,
        "md5:" + "0" * 64,
        "sha256:" + "0" * 32,
        "sha1:" + "0" * 40,
        "blake3:../../" + "0" * 58,
        "blake3:" + "\u0660" * 64,
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="is not a digest"):
        parse_digest(text)


@pytest.mark.parametrize("code", [0, 5, 255])
def test_unknown_numbers_are_refused(code: int) -> None:
    with pytest.raises(FormatError, match=str(code)):
        algorithm_of_code(code)


def test_only_blake3_is_an_address() -> None:
    oid = ObjectId(bytes(32))
    assert as_digest(oid).oid == oid
    assert not is_adopted(oid)


@pytest.mark.parametrize("algorithm", [each for each in Algorithm if each is not Algorithm.BLAKE3])
def test_adopted_digests_have_names_that_no_store_knows(algorithm: Algorithm) -> None:
    digest = Digest(algorithm, bytes(range(algorithm.size)))
    assert is_adopted(digest.oid)
    assert as_digest(digest.oid) == digest
