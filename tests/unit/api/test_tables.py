from __future__ import annotations

import gzip
import io

import pyarrow as pa
import pytest
from pyarrow import parquet

from dvtool.api import tables
from dvtool.api.tables import read_from

QUOTED = b'id,text\n1,"a\nb"\n2,"c\n\n\nd"\n3,"e"\n4,"f\n"\n'


@pytest.mark.parametrize("first_bytes", [1, 2, 7, 13, 16, 24, 1_000])
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 9])
def test_line_feeds_in_quotes_end_no_row(monkeypatch: pytest.MonkeyPatch, first_bytes: int, rows: int) -> None:
    monkeypatch.setattr(tables, "_FIRST_BYTES", first_bytes)
    found = read_from(io.BytesIO(QUOTED), "t.csv", None, rows, None).to_pydict()
    assert found == {"id": [1, 2, 3, 4][:rows], "text": ["a\nb", "c\n\n\nd", "e", "f\n"][:rows]}


def test_no_more_is_read_than_the_rows_take() -> None:
    file = io.BytesIO(b"id,x\n" + b"1,2\n" * 1_000_000)
    assert read_from(file, "t.csv", ["x"], 10, None).to_pydict() == {"x": [2] * 10}
    assert file.tell() == 256 << 10


def test_compressed_files_are_told_by_their_last_suffix() -> None:
    data = gzip.compress(b'{"a": 1}\n{"a": 2}\n')
    assert read_from(io.BytesIO(data), "t.jsonl.gz", None, 1, None).to_pydict() == {"a": [1]}
    assert read_from(io.BytesIO(data), "T.NDJSON.GZ", None, None, None).to_pydict() == {"a": [1, 2]}


def test_a_table_without_rows_has_its_columns() -> None:
    file = io.BytesIO()
    parquet.write_table(pa.table({"a": pa.array([], pa.int32()), "b": pa.array([], pa.string())}), file)
    assert read_from(file, "t.parquet", ["b"], 5, None).schema.names == ["b"]
    assert read_from(io.BytesIO(b"a,b\n"), "t.csv", None, 5, None).schema.names == ["a", "b"]


def test_what_is_no_table_is_arrows_to_tell() -> None:
    with pytest.raises(pa.ArrowInvalid):
        read_from(io.BytesIO(b"no parquet at all"), "t.parquet", None, None, None)
    with pytest.raises(pa.ArrowInvalid):
        read_from(io.BytesIO(b'{"a": 1'), "t.jsonl", None, 5, None)
