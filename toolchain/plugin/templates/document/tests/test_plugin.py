"""What this plugin promises. Run with ``mixpeek plugin test``."""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from ..manifest import features, output_schema, parameter_schema
from ..pipeline import build_steps
from ..processors.core import (
    EMBEDDING_COLUMN,
    EMBEDDING_DIM,
    ERROR_COLUMN,
    PAGE_COUNT_COLUMN,
    TITLE_COLUMN,
    MyExtractorConfig,
    MyExtractorProcessor,
    read_pages,
)
from ..realtime import RealtimeHandler

FOLDER = Path(__file__).parent.parent
SAMPLES = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))
PATHS = [str(FOLDER / row["data"]) for row in SAMPLES]


def describe(paths, **settings):
    """Run a fresh processor over paths, a list or a Series, and return the batch."""
    return MyExtractorProcessor(MyExtractorConfig(**settings))(pd.DataFrame({"data": paths}))


def similarity(first, second):
    return float(np.dot(*describe([str(first), str(second)])[EMBEDDING_COLUMN]))


def document(path, *pages):
    """Write a PDF of the given texts, one a page, and return its path."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, text in enumerate(pages):
        content = f"BT /F1 12 Tf 40 700 Td ({text}) Tj ET"
        look = "/MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R {look} /Contents {5 + 2 * number} 0 R >>")
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    body = "".join(f"{number} 0 obj\n{text}\nendobj\n" for number, text in enumerate(objects, start=1))
    Path(path).write_text(f"%PDF-1.4\n{body}trailer\n<< /Root 1 0 R >>\n%%EOF\n", encoding="latin-1")
    return str(path)


def request(parameters=None):
    return SimpleNamespace(extractor_config=SimpleNamespace(parameters=parameters))


def test_every_sample_gets_a_unit_vector_of_the_declared_length():
    result = describe(PATHS)
    vectors = np.array(result[EMBEDDING_COLUMN].tolist())
    assert vectors.shape == (len(SAMPLES), features[0]["embedding_dim"])
    assert np.isfinite(vectors).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert len(np.unique(vectors, axis=0)) == len(SAMPLES)
    assert result[ERROR_COLUMN].isna().all()


def test_the_manifest_agrees_with_the_processor():
    assert (features[0]["feature_name"], features[0]["embedding_dim"]) == (EMBEDDING_COLUMN, EMBEDDING_DIM)
    assert parameter_schema().model_dump() == asdict(MyExtractorConfig())


def test_rows_fit_the_output_schema_and_keep_their_other_columns():
    batch = pd.DataFrame({"data": [PATHS[0], None], "document_id": ["a", "b"]}, index=[7, 3])
    result = MyExtractorProcessor(MyExtractorConfig())(batch)
    for row in result.to_dict("records"):
        output_schema.model_validate(row)
    assert list(result.index) == [7, 3]
    assert list(result["document_id"]) == ["a", "b"]
    assert list(batch.columns) == ["data", "document_id"], "the caller's batch is left as it was"


def test_documents_on_the_same_subject_are_closer_than_others():
    recipe, bakery, manual = PATHS
    assert similarity(recipe, bakery) > similarity(recipe, manual) + 0.1


def test_the_title_and_the_page_count_are_told():
    result = describe(PATHS)
    assert result[TITLE_COLUMN].iloc[0] == "Bread with rye and caraway"
    assert result[PAGE_COUNT_COLUMN].tolist() == [1, 2, 2]


def test_the_first_page_counts_more(tmp_path):
    pages = ["rivers and bridges", "whales and dolphins"]
    rivers = document(tmp_path / "rivers.pdf", pages[0])
    both, turned = (document(tmp_path / f"{i}.pdf", *order) for i, order in enumerate([pages, pages[::-1]]))
    assert similarity(rivers, both) > similarity(rivers, turned) + 0.05


def test_only_the_first_pages_are_read_but_all_are_counted(tmp_path):
    long = document(tmp_path / "long.pdf", "bridges", *["whales"] * 9)
    short = document(tmp_path / "short.pdf", "bridges", "whales")
    result = describe([long, short], max_pages=2)
    assert result[EMBEDDING_COLUMN].iloc[0] == result[EMBEDDING_COLUMN].iloc[1]
    assert result[PAGE_COUNT_COLUMN].tolist() == [10, 2]
    assert [text.strip() for text in read_pages(short, 5)[0]] == ["bridges", "whales"]


def test_a_document_without_text_keeps_its_page_count(tmp_path):
    result = describe([document(tmp_path / "scan.pdf", "", ""), PATHS[0]])
    assert result[EMBEDDING_COLUMN].notna().tolist() == [False, True]
    assert result[PAGE_COUNT_COLUMN].iloc[0] == 2
    assert result[ERROR_COLUMN].iloc[0] == "the document holds no text"


@pytest.mark.parametrize("size", [1, 2])
def test_the_batch_size_changes_nothing(size):
    whole = describe(PATHS)[EMBEDDING_COLUMN].tolist()
    processor = MyExtractorProcessor(MyExtractorConfig())
    parts = [processor(pd.DataFrame({"data": PATHS[i : i + size]})) for i in range(0, len(PATHS), size)]
    assert pd.concat(parts)[EMBEDDING_COLUMN].tolist() == whole


@pytest.mark.parametrize("dtype", [None, "object", "string"])
@pytest.mark.parametrize(
    "missing", [None, float("nan"), pd.NA, "", "no/such.pdf", "s3://bucket/a.pdf", "x" * 5000], ids=str
)
def test_a_missing_document_costs_only_its_row(dtype, missing):
    result = describe(pd.Series([PATHS[0], missing], dtype=dtype))
    assert result[EMBEDDING_COLUMN].notna().tolist() == [True, False]
    assert result[PAGE_COUNT_COLUMN].iloc[1] is None
    expected = "Error: " if isinstance(missing, str) else "no file is named"
    assert expected in result[ERROR_COLUMN].iloc[1]


def test_a_broken_document_costs_only_its_row(tmp_path):
    whole = Path(PATHS[0]).read_bytes()
    (tmp_path / "cut.pdf").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "text.pdf").write_text("no document")
    (tmp_path / "empty.pdf").write_bytes(b"")
    paths = [str(tmp_path / name) for name in ("cut.pdf", "text.pdf", "empty.pdf")]
    result = describe([*paths, PATHS[0]])
    assert result[EMBEDDING_COLUMN].notna().tolist() == [False, False, False, True]
    assert result[ERROR_COLUMN].notna().tolist() == [True, True, True, False]


def test_an_empty_batch_stays_empty():
    result = describe(pd.Series([], dtype="object"))
    assert len(result) == 0
    assert EMBEDDING_COLUMN in result.columns


def test_a_realtime_query_gets_the_vector_of_the_batch():
    answer = RealtimeHandler().predict({"data": PATHS[0]})
    assert answer == {"embedding": describe([PATHS[0]])[EMBEDDING_COLUMN].iloc[0]}


def test_a_realtime_query_without_a_document_is_refused():
    with pytest.raises(ValueError, match="no file is named"):
        RealtimeHandler().predict({})


def test_the_pipeline_runs_the_platform_steps_first_and_then_ours():
    first = object()
    built = build_steps(request(), base_steps=[first])
    assert built["steps"][0] is first
    assert len(built["steps"]) == 2
    assert built["prepare"](SAMPLES) is SAMPLES


def test_a_parameter_that_does_not_exist_is_refused():
    with pytest.raises(ValidationError):
        build_steps(request({"pages": 8}))
