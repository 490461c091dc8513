"""Validates the rows of a table against a plugin's Pydantic model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.guest.stages.loading import Problems

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_SHOWN = 10
_CHUNK = 1_000


@dataclass(frozen=True)
class RowCheck:
    """What to ask of a table's rows.

    ``schema`` is what the manifest offers, ``matched`` says which rows are asked (``None``: all), ``features`` the
    names under which vectors may stand, ``code`` the code of the problems.
    """

    code: str
    schema: Any
    matched: npt.NDArray[np.bool_] | None = None
    features: tuple[str, ...] = ()


def validate_rows(check: RowCheck, table: pa.Table, problems: Problems) -> None:
    """Note which rows of ``table`` the model refuses.

    The platform looks a primary vector up under its feature's name first and under ``embedding`` second, so a
    schema that says ``embedding`` is met by the one column named after a feature. Does nothing for a schema that
    is not a Pydantic model: the describe stage reports that.
    """
    from pydantic import BaseModel, TypeAdapter

    schema, matched = check.schema, check.matched
    if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
        return
    adapter: Any = TypeAdapter(list[schema])  # type: ignore[valid-type]  # a class known only at run time
    alias = _embedding_alias(schema, table.column_names, check.features)
    failures: list[dict[str, Any]] = []
    for start in range(0, table.num_rows, _CHUNK):
        numbers, rows = [], []
        for offset, row in enumerate(table.slice(start, _CHUNK).to_pylist()):
            if matched is None or matched[start + offset]:
                numbers.append(start + offset)
                rows.append({**row, "embedding": row[alias]} if alias else row)
        failures += _validate(adapter, rows, numbers, problems)
    if failures:
        _report(failures, table.num_rows, schema.__name__, check.code, problems)


def _validate(adapter: Any, rows: list[Any], numbers: list[int], problems: Problems) -> list[dict[str, Any]]:
    from pydantic import ValidationError

    try:
        adapter.validate_python(rows)
    except ValidationError as refusal:
        found = []
        for item in refusal.errors(include_url=False, include_context=False, include_input=False):
            position, *field = item["loc"]
            found.append(
                {"row": numbers[int(position)], "field": ".".join(map(str, field)), "message": item["msg"]}
            )
        return found
    except Exception as failure:  # noqa: BLE001 - a validator of the plugin raised something of its own
        problems.add(
            "schemas.validator", f"a validator raised {type(failure).__name__}", **problems.place(failure)
        )
    return []


def _report(failures: list[dict[str, Any]], total: int, model: str, code: str, problems: Problems) -> None:
    """One problem for each field, with the first rows that show it."""
    by_field: dict[tuple[str, str], list[int]] = {}
    for failure in failures:
        # Items of a list fail one by one: the field's own name says enough.
        field = failure["field"].partition(".")[0]
        rows = by_field.setdefault((field, failure["message"]), [])
        if not rows or rows[-1] != failure["row"]:
            rows.append(failure["row"])
    for (field, message), rows in list(by_field.items())[:_SHOWN]:
        shown = ", ".join(str(row + 1) for row in rows[:5]) + (", …" if len(rows) > 5 else "")
        noun = "row" if len(rows) == 1 else "rows"
        problems.add(
            code,
            f"{len(rows)} of {total} rows do not fit {model}.{field}: {message} ({noun} {shown})",
            column=field,
        )


def _embedding_alias(schema: Any, columns: list[str], features: tuple[str, ...]) -> str | None:
    present = [name for name in features if name in columns]
    wanted = "embedding" in schema.model_fields and "embedding" not in columns
    return present[0] if wanted and len(present) == 1 else None
