"""Tables from files that are read as far as needed."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from functools import partial
from typing import IO
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from dvtool.errors import DvtoolError
from dvtool.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

TableFormat = Literal["parquet", "feather", "csv", "tsv", "jsonl"]

_FORMATS: dict[str, TableFormat] = {
    "parquet": "parquet",
    "pq": "parquet",
    "feather": "feather",
    "arrow": "feather",
    "csv": "csv",
    "tsv": "tsv",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
}
_COMPRESSED = {"gz": "gzip", "bz2": "bz2", "zst": "zstd", "lz4": "lz4"}
_DELIMITERS = {"csv": ",", "tsv": "\t"}
_BUFFER = 64 << 10
_FIRST_BYTES = 256 << 10


def read_from(
    file: IO[bytes], name: str, columns: Sequence[str] | None, rows: int | None, stated: TableFormat | None
) -> pa.Table:
    """The table in an open file called *name*; the rest as `dvtool.api.read_table` says."""
    try:
        import pyarrow as pa
    except ImportError:
        raise DvtoolError("read_table needs pyarrow", hint="pip install 'dvtool[tables]'") from None
    stem, _, last = name.lower().rpartition(".")
    codec = _COMPRESSED.get(last)
    kind = stated or _FORMATS.get(stem.rpartition(".")[2] if codec else last)
    if kind is None:
        known = ", ".join(f".{suffix}" for suffix in _FORMATS)
        raise UsageError(f"{name}: its name does not tell what is in it", hint=f"say format=..., or one of {known}")
    wanted = list(columns) if columns is not None else None
    if kind == "parquet":
        schema, batches = _parquet(file, wanted, rows)
    elif kind == "feather":
        schema, batches = _feather(file, wanted)
    else:
        stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), codec) if codec else file
        return _text(stream, wanted, rows, _jsonl if kind == "jsonl" else partial(_csv, delimiter=_DELIMITERS[kind]))
    taken = []
    left = rows
    for batch in batches:
        taken.append(batch if left is None else batch.slice(0, left))
        if left is not None and (left := left - taken[-1].num_rows) <= 0:
            break
    return pa.Table.from_batches(taken, schema=schema)


def _parquet(file: IO[bytes], columns: list[str] | None, rows: int | None) -> tuple[Any, Iterator[Any]]:
    from pyarrow import parquet

    # With a buffer only the beginning of each column is read; without one a row group comes whole, which is quicker.
    source = parquet.ParquetFile(file, buffer_size=_BUFFER if rows is not None else 0, pre_buffer=rows is None)
    batches = source.iter_batches(batch_size=min(rows or 65_536, 65_536), columns=columns)
    first = next(batches, None)
    if first is None:
        schema = source.schema_arrow
        return schema if columns is None else _chosen(schema, columns), iter(())
    return first.schema, _after(first, batches)


def _feather(file: IO[bytes], columns: list[str] | None) -> tuple[Any, Iterator[Any]]:
    import pyarrow as pa

    source = pa.ipc.open_file(file)
    schema = source.schema
    if columns is None:
        return schema, (source.get_batch(number) for number in range(source.num_record_batches))
    numbers = [schema.get_field_index(name) for name in columns]
    options = pa.ipc.IpcReadOptions(included_fields=sorted(numbers))
    source = pa.ipc.open_file(file, options=options)
    batches = (source.get_batch(number).select(columns) for number in range(source.num_record_batches))
    return _chosen(schema, columns), batches


def _text(file: Any, columns: list[str] | None, rows: int | None, parse: Callable[[Any, Any], Any]) -> pa.Table:
    """Lines are parsed as a whole, so that all of them have a say in the types; of a few rows, a beginning that holds
    enough of them. Arrow's own readers of streams read far ahead."""
    import pyarrow as pa

    if rows is None:
        return parse(file, columns)
    data, size = b"", _FIRST_BYTES
    while True:
        more = file.read(size)
        data, size = data + more, 2 * size
        # A line feed inside quotes may end what was read: then there is more to read.
        lines = data[: data.rfind(b"\n") + 1] if more else data
        if not more or data.count(b"\n") > rows:
            try:
                found = parse(pa.BufferReader(lines), columns)
            except pa.ArrowInvalid:
                if not more:
                    raise
            else:
                if not more or found.num_rows > rows:
                    return found.slice(0, rows)


def _csv(file: Any, columns: list[str] | None, *, delimiter: str) -> Any:
    from pyarrow import csv

    return csv.read_csv(
        file,
        parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=csv.ConvertOptions(include_columns=columns),
    )


def _jsonl(file: Any, columns: list[str] | None) -> Any:
    from pyarrow import json

    found = json.read_json(file)
    return found if columns is None else found.select(columns)


def _after(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _chosen(schema: Any, columns: list[str]) -> Any:
    import pyarrow as pa

    return pa.schema([schema.field(name) for name in columns])
