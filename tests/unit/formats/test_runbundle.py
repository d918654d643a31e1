"""Files of many run cache entries: what is in them is found, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dvtool.formats.lock import LockedStage
from dvtool.formats.runbundle import Bundle
from dvtool.formats.runbundle import join_entries
from dvtool.formats.runentry import encode_entry
from dvtool.hashing.digests import object_id


def line(key: str, command: str = "run") -> bytes:
    return encode_entry(key, LockedStage(commands=(command,)))


def key(number: int) -> str:
    return object_id(b"%d" % number).hex()


@given(st.sets(st.integers(0, 10_000), max_size=40), st.data())
def test_every_entry_is_found_and_no_other(numbers: set[int], data: st.DataObject) -> None:
    lines = {key(number): line(key(number), "x" * data.draw(st.integers(0, 200))) for number in numbers}
    bundle = Bundle(join_entries(lines.values()))
    for each, wanted in lines.items():
        assert bundle.find(each) == wanted
    for each in (key(-1), "0" * 64, "f" * 64, *(key(number + 20_000) for number in range(5))):
        assert bundle.find(each) is None
    assert [*bundle.lines()] == [lines[each] for each in sorted(lines)]


def test_the_same_entries_give_the_same_bytes_in_any_order() -> None:
    lines = [line(key(1), "a"), line(key(1), "b"), line(key(2))]
    joined = join_entries(lines)
    assert joined == join_entries(reversed(lines))
    assert len(joined.splitlines()) == 2


def test_what_is_not_sorted_or_not_whole_ends_the_search() -> None:
    for data in (b"", b"\n" * 300, b"x" * 500, line("f" * 64) + line("0" * 64), line(key(3))[:-1]):
        bundle = Bundle(data)
        for each in ("0" * 64, "8" * 64, "f" * 64, key(3)):
            bundle.find(each)
        assert b"".join(bundle.lines()) == data
