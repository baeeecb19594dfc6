"""Parquet data sets in pieces: a file, or the files of a folder in the order of their names.

A piece is a run of row groups of one file.  Batches are read one after another, the next while one is worked on, and
never more than a few of them are held.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deriver.errors import DataError, Mistake
from deriver.running.tables import parquet_files

BATCH = 131_072  # rows
AHEAD = 2  # batches read beforehand
BYTES_PER_CELL = 130  # of a table in memory: an object and a reference, the number, and room for a copy
SHARE = 4  # a table may take a quarter of the memory of the machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Row groups ``first``..``last`` (exclusive) of a file; ``before`` rows of the file stand before them."""

    path: str
    first: int
    last: int
    before: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A Parquet data set: the names of its columns, and its files by row groups."""

    origin: str
    columns: tuple[str, ...]
    texts: tuple[str, ...]
    pieces: tuple[Piece, ...]

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return sum(piece.rows for piece in self.pieces)

    def whole_files(self) -> tuple[Piece, ...]:
        """Return the files as a piece each."""
        first = [piece for piece in self.pieces if piece.before == 0]
        return tuple(
            Piece(
                path=piece.path, first=0, before=0,
                last=sum(other.path == piece.path for other in self.pieces),
                rows=sum(other.rows for other in self.pieces if other.path == piece.path),
            )
            for piece in first
        )  # fmt: skip


def open_source(path: Path) -> Source:
    """Return the row groups of a Parquet file or folder; raise ``DataError`` if it is none, or its files differ."""
    import pyarrow as pa
    from pyarrow import parquet

    files = parquet_files(path)
    pieces: list[Piece] = []
    schema: Any = None
    for file in files:
        try:
            found = parquet.ParquetFile(file)
        except (OSError, ValueError) as error:
            raise _unreadable(path, f"{file.name} is not Parquet: {error}") from None
        with found:
            schema = schema or found.schema_arrow
            if found.schema_arrow.names != schema.names:
                raise _unreadable(path, f"{file.name} has the columns {', '.join(found.schema_arrow.names)}, and "
                                  f"{files[0].name} {', '.join(schema.names)}")  # fmt: skip
            before = 0
            for k in range(found.metadata.num_row_groups):
                rows = found.metadata.row_group(k).num_rows
                pieces.append(Piece(path=str(file), first=k, last=k + 1, before=before, rows=rows))
                before += rows
    if not sum(piece.rows for piece in pieces):
        raise _unreadable(path, "a table without rows")
    texts = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    return Source(origin=path.name, columns=tuple(schema.names), texts=tuple(texts), pieces=tuple(pieces))


def _unreadable(path: Path, found: str) -> DataError:
    return DataError(
        [Mistake(code="unreadable", found=found, expected="Parquet files of the same columns")], path.name
    )


def memory_of_machine() -> int:
    """Return the bytes of physical memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def table_bytes(source: Source, columns: int) -> int:
    """Return about how much memory the table would take, read whole."""
    return source.rows * columns * BYTES_PER_CELL


def read_batches(piece: Piece, columns: Sequence[str], texts: Sequence[str]) -> Iterator[tuple[int, Any]]:
    """Yield (rows of the file before it, record batch); texts come as dictionaries with codes."""
    from pyarrow import parquet

    with parquet.ParquetFile(
        piece.path, read_dictionary=[name for name in columns if name in texts], pre_buffer=False
    ) as file:
        before = piece.before
        groups = list(range(piece.first, piece.last))
        for batch in file.iter_batches(
            batch_size=BATCH, row_groups=groups, columns=list(columns), use_threads=False
        ):
            yield before, batch
            before += batch.num_rows


def release_memory() -> None:
    """Hand back what Arrow has kept for further batches."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()


def read_ahead(batches: Iterator[Any]) -> Generator[Any, None, None]:
    """Yield what an iterator yields, from a thread that is a few items ahead."""
    waiting: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=AHEAD)
    stop = threading.Event()

    def put(item: tuple[str, Any]) -> None:
        while not stop.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for batch in batches:
                put(("batch", batch))
                if stop.is_set():
                    return
            put(("end", None))
        except BaseException as error:  # noqa: BLE001  it is raised again where the batches are used
            put(("error", error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, item = waiting.get()
            if kind == "end":
                return
            if kind == "error":
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
