"""Entries of the run cache: the golden line, round trips, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from xxhash import xxh3_64_hexdigest

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import UnsafeInput
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.formats.runentry import decode_entry
from dvtool.formats.runentry import encode_entry
from tests.unit.formats.test_lock import EVERYTHING
from tests.unit.formats.test_lock import content

GOLDEN = Path(__file__).parents[2] / "golden/run-cache/entry"
PIN = os.environ.get("DVTOOL_PIN") == "1"
KEY = "73a16291" * 8
SHOWN = LockedStage(
    commands=("python train.py",),
    deps={"data": content(2, files=3)},
    outs={b"model": content(6)},
    params={b"params.yaml": {"lr": 0.001}},
)


def test_golden_line() -> None:
    line = encode_entry(KEY, SHOWN)
    if PIN:
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        GOLDEN.write_bytes(line)
    assert GOLDEN.read_bytes() == line
    assert decode_entry(line, "x") == (KEY, SHOWN)


@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_round_trip(name: str) -> None:
    wanted = EVERYTHING[name]._replace(storing={})
    assert decode_entry(encode_entry(KEY, EVERYTHING[name]), "x") == (KEY, wanted)


def test_how_outputs_are_stored_is_left_out() -> None:
    plain = LockedStage(commands=("run",), outs={b"out": content(1)})
    assert encode_entry(KEY, plain._replace(storing={b"out": Storing(False, False, "nas")})) == encode_entry(KEY, plain)


def test_every_flipped_bit_is_seen() -> None:
    line = encode_entry(KEY, EVERYTHING["Z"])
    for at in range(len(line) * 8):
        damaged = bytearray(line)
        damaged[at // 8] ^= 1 << (at % 8)
        with pytest.raises((FormatError, IntegrityError)):
            decode_entry(bytes(damaged), "x")


def sealed(text: str) -> bytes:
    return f"{KEY} {xxh3_64_hexdigest(f'{KEY} {text}'.encode())} {text}\n".encode()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"cmd":["x"]}',
        '{"cmd":["x"],"version":true}',
        '{"cmd":["x"],"version":1.0}',
        '{"cmd": ["x"],"version":1}',
        '{"version":1,"cmd":["x"]}',
        '{"cmd":["x"],"cmd":["y"],"version":1}',
        '{"cmd":["x"],"more":1,"version":1}',
        '{"cmd":"x","version":1}',
        '{"outs":{"a":{"digest":"md5:1","size":1}},"version":1}',
        "{" + '"a":{' * 100_000,
    ],
)
def test_what_no_writer_writes_is_refused(text: str) -> None:
    with pytest.raises((FormatError, UnsafeInput)):
        decode_entry(sealed(text), "x")


def test_how_it_is_stored_is_refused() -> None:
    text = encode_entry(KEY, LockedStage(outs={b"out": content(1)}))[82:-1].decode()
    with pytest.raises(FormatError, match="one valid form"):
        decode_entry(sealed(text.replace('"out":{', '"out":{"cache":false,')), "x")


def test_a_path_that_leads_outside_is_refused() -> None:
    text = encode_entry(KEY, LockedStage(outs={b"out": content(1)}))[82:-1].decode()
    with pytest.raises(UnsafeInput):
        decode_entry(sealed(text.replace('"out"', '"../out"')), "x")


def test_a_higher_version_says_upgrade() -> None:
    with pytest.raises(DvtoolError, match="newer") as caught:
        decode_entry(sealed('{"other":1,"version":2}'), "x")
    assert caught.value.hint == "upgrade dvtool"


def test_no_more_than_its_limit() -> None:
    with pytest.raises(FormatError):
        decode_entry(encode_entry(KEY, LockedStage(commands=("x" * (4 << 20),))), "x")
