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
    WORD_COUNT_COLUMN,
    MyExtractorConfig,
    MyExtractorProcessor,
)
from ..realtime import RealtimeHandler

SAMPLES = json.loads((Path(__file__).parent.parent / "samples.json").read_text(encoding="utf-8"))


def embed(texts, **settings):
    """Run a fresh processor over texts, a list or a Series, and return the batch."""
    return MyExtractorProcessor(MyExtractorConfig(**settings))(pd.DataFrame({"text": texts}))


def similarity(first, second):
    return float(np.dot(*embed([first, second])[EMBEDDING_COLUMN]))


def request(parameters=None):
    return SimpleNamespace(extractor_config=SimpleNamespace(parameters=parameters))


def test_every_sample_gets_a_unit_vector_of_the_declared_length():
    vectors = np.array(embed([row["text"] for row in SAMPLES])[EMBEDDING_COLUMN].tolist())
    assert vectors.shape == (len(SAMPLES), features[0]["embedding_dim"])
    assert np.isfinite(vectors).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert len(np.unique(vectors, axis=0)) == len(SAMPLES)


def test_the_manifest_agrees_with_the_processor():
    assert (features[0]["feature_name"], features[0]["embedding_dim"]) == (EMBEDDING_COLUMN, EMBEDDING_DIM)
    assert parameter_schema().model_dump() == asdict(MyExtractorConfig())


def test_rows_fit_the_output_schema_and_keep_their_other_columns():
    batch = pd.DataFrame({"text": ["one two", None], "document_id": ["a", "b"]}, index=[7, 3])
    result = MyExtractorProcessor(MyExtractorConfig())(batch)
    for row in result.to_dict("records"):
        output_schema.model_validate(row)
    assert list(result.index) == [7, 3]
    assert list(result["document_id"]) == ["a", "b"]
    assert list(batch.columns) == ["text", "document_id"], "the caller's batch is left as it was"


def test_texts_on_the_same_subject_are_closer_than_others():
    about_bread = "Knead the dough, let it rise, then bake the bread until the crust is brown."
    also_bread = "Good bread needs patience: the dough rises slowly before baking."
    about_ships = "The frigate lowered her sails and anchored outside the harbour."
    assert similarity(about_bread, also_bread) > similarity(about_bread, about_ships) + 0.1


def test_words_spelled_alike_are_close_and_case_does_not_matter():
    assert similarity("colour", "colours") > similarity("colour", "harvest") + 0.3
    assert similarity("Straße", "STRASSE") == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_batch_size_changes_nothing(size):
    texts = [row["text"] for row in SAMPLES]
    whole = embed(texts)[EMBEDDING_COLUMN].tolist()
    processor = MyExtractorProcessor(MyExtractorConfig())
    parts = [processor(pd.DataFrame({"text": texts[i : i + size]})) for i in range(0, len(texts), size)]
    assert pd.concat(parts)[EMBEDDING_COLUMN].tolist() == whole


@pytest.mark.parametrize("dtype", [None, "object", "string"])
@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, "", " \n", "?!"], ids=repr)
def test_a_text_without_words_gets_no_vector(dtype, missing):
    result = embed(pd.Series(["some words", missing], dtype=dtype))
    assert result[EMBEDDING_COLUMN].iloc[0] is not None
    assert result[EMBEDDING_COLUMN].iloc[1] is None
    assert result[WORD_COUNT_COLUMN].tolist() == [2, 0]


def test_the_hosted_column_is_read_when_there_is_no_text_column():
    texts = [row["text"] for row in SAMPLES]
    hosted = MyExtractorProcessor(MyExtractorConfig())(pd.DataFrame({"data": texts}))
    assert hosted[EMBEDDING_COLUMN].tolist() == embed(texts)[EMBEDDING_COLUMN].tolist()


def test_an_empty_batch_stays_empty():
    result = embed(pd.Series([], dtype="object"))
    assert len(result) == 0
    assert EMBEDDING_COLUMN in result.columns


def test_a_realtime_query_gets_the_vector_of_the_batch():
    text = SAMPLES[0]["text"]
    handler = RealtimeHandler()
    assert handler.predict({"text": text}) == {"embedding": embed([text])[EMBEDDING_COLUMN].iloc[0]}
    assert handler.predict({"data": text}) == handler.predict({"text": text})


def test_a_realtime_query_without_words_is_refused():
    with pytest.raises(ValueError, match="text"):
        RealtimeHandler().predict({"text": "..."})


def test_the_pipeline_runs_the_platform_steps_first_and_then_ours():
    first = object()
    built = build_steps(request(), base_steps=[first])
    assert built["steps"][0] is first
    assert len(built["steps"]) == 2
    assert built["prepare"](SAMPLES) is SAMPLES


def test_a_parameter_that_does_not_exist_is_refused():
    with pytest.raises(ValidationError):
        build_steps(request({"pieces_length": 4}))
