"""Compare the local executor's loop with the naive one, which slices and converts for every batch.

    python -m benchmarks.engine_loop --rows 1000000 --batch-size 64

Both run the same trivial z-score processor over the same table under the same condition and give the same column.
Figures are medians of the rounds, which alternate; read the ratio, not the seconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
import numpy as np
import pyarrow as pa

from engine.executors.local import LocalExecutor
from engine.plugins.extractors.pipeline import (
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)

if TYPE_CHECKING:
    import pandas as pd


class ZScore:
    """Adds ``z``: how many standard deviations (0.29) ``value`` is from its mean (0.5)."""

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Assign one column in place, as the contract's example does."""
        batch["z"] = (batch["value"] - 0.5) / 0.29
        return batch


def make_table(rows: int, text_share: float) -> pa.Table:
    """Return ``rows`` rows in the hosted shape, ``text_share`` of them text and the others images."""
    generator = np.random.default_rng(7)
    kinds = np.where(generator.random(rows) < text_share, "text/plain", "image/png")
    return pa.table(
        {
            "document_id": pa.array([f"document-{row}" for row in range(rows)]),
            "data": pa.array([f"the text of row {row}" for row in range(rows)]),
            "mime_type": pa.array(kinds.tolist()),
            "size_bytes": pa.array(generator.integers(1, 10_000, rows)),
            "value": pa.array(generator.random(rows)),
        }
    )


def naive_loop(table: pa.Table, batch_size: int) -> pa.Table:
    """Slice, convert, mask, run and convert back, one batch at a time."""
    processor = ZScore()
    results = []
    for start in range(0, table.num_rows, batch_size):
        frame = table.slice(start, batch_size).to_pandas()
        selected = frame["mime_type"].str.startswith("text/")
        if selected.all():
            frame = processor(frame)
        else:
            output = processor(frame[selected].reset_index(drop=True))
            frame.loc[selected, "z"] = output["z"].to_numpy()
        results.append(pa.Table.from_pandas(frame, preserve_index=False))
    return pa.concat_tables(results, promote_options="permissive")


def executor_loop(table: pa.Table, batch_size: int) -> pa.Table:
    """Run the same processor with the local executor."""
    step = StepDefinition(ZScore, ResourceType.CPU, condition=RowCondition.IS_TEXT, batch_size=batch_size)
    pipeline = PipelineDefinition(name="z_score", version="1.0.0", steps=[step])
    return LocalExecutor().run(build_pipeline_steps(pipeline), table).table


def timed(loop: Callable[[pa.Table, int], pa.Table], table: pa.Table, batch_size: int) -> tuple[float, pa.Table]:
    """Return the seconds one run takes, and its result."""
    started = time.perf_counter()
    result = loop(table, batch_size)
    return time.perf_counter() - started, result


@click.command(help=__doc__)
@click.option("--rows", default=1_000_000, show_default=True)
@click.option("--batch-size", default=64, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--text-share", default=1.0, show_default=True, help="Share of rows the step's condition selects.")
def main(rows: int, batch_size: int, rounds: int, text_share: float) -> None:
    """Print the medians and their ratio; fail where the two loops disagree."""
    table = make_table(rows, text_share)
    seconds: dict[str, list[float]] = {"naive": [], "executor": []}
    for _ in range(rounds):
        naive, expected = timed(naive_loop, table, batch_size)
        ours, result = timed(executor_loop, table, batch_size)
        if not result["z"].combine_chunks().equals(expected["z"].combine_chunks()):
            raise click.ClickException("The two loops gave different results: the figures would mean nothing.")
        seconds["naive"].append(naive)
        seconds["executor"].append(ours)
    slow, fast = statistics.median(seconds["naive"]), statistics.median(seconds["executor"])
    print(f"{rows} rows, batches of {batch_size}, {text_share:.0%} selected, median of {rounds} rounds")
    print(f"naive loop  {slow:8.2f} s  {rows / slow:12,.0f} rows/s")
    print(f"executor    {fast:8.2f} s  {rows / fast:12,.0f} rows/s")
    print(f"ratio       {slow / fast:8.2f}")


if __name__ == "__main__":
    main()
