"""Reads Parquet files and Arrow IPC files (both kinds, file and stream), only the wanted columns.

Rows come in small batches: memory is one batch of texts, whatever the row groups are. Arrow files are mapped,
not loaded.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from elusive.data.rejected import Reason, Rejection, excerpt
from elusive.data.tables import Row, Table
from elusive.errors import InputError

_BATCH_ROWS: Final = 128
_BUFFER_LEN: Final = 1 << 20
_NO_VALUE: Final = (ValueError, OverflowError)  # a string that is not UTF-8; a date beyond the calendar


@contextlib.contextmanager
def parquet_table(path: Path) -> Iterator[Table]:
    """Opens a Parquet file.

    Raises:
        InputError: it is damaged or no Parquet file.
    """
    import pyarrow.parquet as pq

    with _naming_damage(path, "Parquet"):
        # A buffer size makes the reader stream a column instead of holding its whole row group.
        file = pq.ParquetFile(path, buffer_size=_BUFFER_LEN, pre_buffer=False, page_checksum_verification=True)
        names = file.schema_arrow.names
    with file:
        yield Table(
            str(path),
            names,
            lambda wanted: _rows(file.iter_batches(batch_size=_BATCH_ROWS, columns=wanted), wanted, path, "Parquet"),
        )


@contextlib.contextmanager
def arrow_table(path: Path) -> Iterator[Table]:
    """Opens an Arrow IPC file, such as those that `datasets.save_to_disk` writes.

    Raises:
        InputError: it is damaged or no Arrow file.
    """
    import pyarrow as pa

    with contextlib.ExitStack() as stack:
        with _naming_damage(path, "Arrow"):
            mapped = stack.enter_context(pa.memory_map(str(path)))
            is_file = mapped.read(6) == b"ARROW1"
            mapped.seek(0)
            reader = pa.ipc.open_file(mapped) if is_file else pa.ipc.open_stream(mapped)
            names = reader.schema.names
        batches = _file_batches(reader) if is_file else iter(reader)
        yield Table(str(path), names, lambda wanted: _rows(_cut(batches, wanted), wanted, path, "Arrow"))


def _file_batches(reader: Any) -> Iterator[Any]:
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)


def _cut(batches: Iterator[Any], wanted: Sequence[str]) -> Iterator[Any]:
    """Small slices of batches, which can hold a whole shard; slicing copies nothing."""
    for whole in batches:
        batch = whole.select(wanted)
        _check_places(batch)
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            yield batch.slice(start, _BATCH_ROWS)


def _check_places(batch: Any) -> None:
    """Refuses offsets and lengths that leave their buffers: Arrow takes them on trust, and would end the process.

    Whether strings are UTF-8 is seen row by row later on, so they are looked at as bytes.
    """
    import pyarrow as pa

    batch.validate()
    of_bytes = {
        pa.string(): pa.binary(),
        pa.large_string(): pa.large_binary(),
        pa.string_view(): pa.binary_view(),
    }
    for column in batch.columns:
        column.view(of_bytes.get(column.type, column.type)).validate(full=True)


def _rows(batches: Iterator[Any], wanted: Sequence[str], path: Path, kind: str) -> Iterator[Row | Rejection]:
    number = 0
    # Only the reading of a batch stands within: an error of the consumer is none of the file's.
    with _naming_damage(path, kind):
        for batch in batches:
            columns = {name: _values(batch.column(name)) for name in wanted}
            for index in range(batch.num_rows):
                number += 1
                yield _row({name: values[index] for name, values in columns.items()}, str(path), number)


def _row(values: dict[str, object], file: str, number: int) -> Row | Rejection:
    for name, value in values.items():
        if isinstance(value, UnicodeDecodeError):
            return Rejection(file, number, Reason.BAD_UTF8, f"column {name}: byte {value.start + 1}")
    return Row(number, values)


def _values(column: Any) -> list[object]:
    """Python values of a column; what Python cannot hold becomes the error that tells so."""
    try:
        return list(column.to_pylist())
    except _NO_VALUE:
        return [_value(cell) for cell in column]


def _value(cell: Any) -> object:
    try:
        return cell.as_py()
    except _NO_VALUE as error:
        return error


@contextlib.contextmanager
def _naming_damage(path: Path, kind: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = excerpt(" ".join(str(error).split()))
        raise InputError(f"{path} cannot be read as {kind}: {reason}") from error
