"""A small local dataset for a plugin's ``prepare``, with the commonly used methods of Ray's datasets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

_OFFERED = "count, columns, schema, map_batches, filter, limit, take, iter_rows, materialize, to_pandas, to_arrow"


class LocalDataset:
    """A table of n rows that ``prepare`` may filter, cut and map; each method gives a new dataset.

    Everything runs at once, in this process; on the platform the same methods are lazy. A method that only the
    platform has raises AttributeError that lists what is offered here.
    """

    def __init__(self, table: pa.Table) -> None:
        """Wrap ``table``; it is not copied."""
        self._table = table

    def count(self) -> int:
        """Return the number of rows."""
        return int(self._table.num_rows)

    def columns(self) -> list[str]:
        """Return the column names, in order."""
        return list(self._table.column_names)

    def schema(self) -> pa.Schema:
        """Return the Arrow schema; ``names`` and ``types`` are attributes, as on the platform."""
        return self._table.schema

    def map_batches(
        self,
        fn: Callable[..., Any],
        *,
        batch_size: int | None = None,
        batch_format: str = "pandas",
        **_placement: Any,
    ) -> LocalDataset:
        """Apply ``fn`` to slices of ``batch_size`` rows (all rows where None) and join what it returns.

        ``batch_format`` is ``pandas`` (the default here: the contract's batches are DataFrames), ``pyarrow`` or
        ``numpy`` (a dict of arrays). ``fn`` may return any of the three and any number of rows; a class is
        constructed once. Options about placement, such as ``num_gpus``, have no meaning here. Raises ValueError,
        TypeError, and what ``fn`` raises.
        """
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"map_batches: batch_size is {batch_size}. Pass 1 or more, or None for all rows.")
        function: Any = fn() if inspect.isclass(fn) else fn
        size = batch_size or max(1, self.count())
        slices = [self._table.slice(start, size) for start in range(0, self.count(), size)]
        results = [_to_table(function(_formatted(piece, batch_format)), "map_batches") for piece in slices]
        if not results:
            return self
        return LocalDataset(pa.concat_tables(results, promote_options="permissive"))

    def filter(self, fn: Callable[[dict[str, Any]], Any]) -> LocalDataset:
        """Keep the rows for which ``fn``, given the row as a dict, returns something true."""
        kept = [bool(fn(row)) for row in self.iter_rows()]
        return LocalDataset(self._table.filter(pa.array(kept, type=pa.bool_())))

    def limit(self, limit: int) -> LocalDataset:
        """Keep the first ``limit`` rows; raises ValueError when it is negative."""
        if limit < 0:
            raise ValueError(f"limit: {limit} rows cannot be kept. Pass 0 or more.")
        return LocalDataset(self._table.slice(0, limit))

    def take(self, limit: int = 20) -> list[dict[str, Any]]:
        """Return the first ``limit`` rows as dicts."""
        return list(self.limit(limit).iter_rows())

    def iter_rows(self) -> Iterator[dict[str, Any]]:
        """Yield each row as a dict of Python values."""
        for batch in self._table.to_batches(max_chunksize=1024):
            yield from batch.to_pylist()

    def materialize(self) -> LocalDataset:
        """Return the dataset itself: nothing here is lazy."""
        return self

    def to_pandas(self) -> pd.DataFrame:
        """Return all rows as a DataFrame."""
        frame: pd.DataFrame = self._table.to_pandas(ignore_metadata=True)
        return frame

    def to_arrow(self) -> pa.Table:
        """Return the table itself."""
        return self._table

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.count()

    def __getattr__(self, name: str) -> Any:
        """Explain that a method is missing here, and which there are."""
        raise AttributeError(
            f"The local dataset has no {name!r}; it offers {_OFFERED}. Use one of these in prepare, or move the "
            "work into a step."
        )


def prepared(table: pa.Table, prepare: Callable[[Any], Any] | None) -> pa.Table:
    """Return the table that ``prepare`` makes of ``table``; None leaves it as it is.

    ``prepare`` gets a `LocalDataset` and returns one, or a DataFrame, or an Arrow table. Raises TypeError for
    anything else, and what ``prepare`` raises.
    """
    if prepare is None:
        return table
    if not callable(prepare):
        raise TypeError(
            f"prepare is a {type(prepare).__name__}. build_steps must give a function such as lambda ds: ds."
        )
    return _to_table(prepare(LocalDataset(table)), "prepare")


def _formatted(table: pa.Table, batch_format: str) -> Any:
    if batch_format == "pandas":
        return table.to_pandas(ignore_metadata=True)
    if batch_format == "pyarrow":
        return table
    if batch_format in {"numpy", "default"}:
        return {name: table[name].to_numpy() for name in table.column_names}
    raise ValueError(f"map_batches: batch_format is {batch_format!r}. Use 'pandas', 'pyarrow' or 'numpy'.")


def _to_table(value: Any, where: str) -> pa.Table:
    if isinstance(value, LocalDataset):
        return value.to_arrow()
    if isinstance(value, pa.Table):
        return value
    if isinstance(value, pd.DataFrame):
        return pa.Table.from_pandas(value, preserve_index=False).replace_schema_metadata(None)
    if where == "map_batches" and isinstance(value, dict):
        return pa.table({name: list(v) if np.ndim(v) > 1 else v for name, v in value.items()})
    raise TypeError(
        f"{where} returned a {type(value).__name__}. Return the dataset, a DataFrame or an Arrow table"
        + (": prepare is lambda ds: ds where there is nothing to prepare." if where == "prepare" else ".")
    )
