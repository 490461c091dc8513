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
    TextEmbedderConfig,
    TextEmbedderProcessor,
)
from ..realtime import RealtimeHandler

SAMPLES = pd.DataFrame(
    json.loads(line)
    for line in (Path(__file__).parent.parent / "samples.ndjson").read_text(encoding="utf-8").splitlines()
)


@pytest.fixture(scope="module")
def processor():
    return TextEmbedderProcessor(TextEmbedderConfig())


@pytest.fixture(scope="module")
def embedded(processor):
    """All samples as one batch, in the hosted columns."""
    return processor(SAMPLES)


def vectors(batch):
    return np.array(batch[EMBEDDING_COLUMN].tolist())


def request(parameters=None):
    return SimpleNamespace(extractor_config=SimpleNamespace(parameters=parameters))


def test_there_are_a_thousand_samples_and_each_gets_its_own_unit_vector(embedded):
    found = vectors(embedded)
    assert len(SAMPLES) >= 1000
    assert found.shape == (len(SAMPLES), features[0]["embedding_dim"])
    assert np.isfinite(found).all()
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert len(np.unique(found, axis=0)) == len(SAMPLES)


def test_the_manifest_agrees_with_the_processor():
    assert (features[0]["feature_name"], features[0]["embedding_dim"]) == (EMBEDDING_COLUMN, EMBEDDING_DIM)
    assert parameter_schema().model_dump() == asdict(TextEmbedderConfig())


def test_rows_fit_the_output_schema_and_keep_their_other_columns(processor):
    batch = pd.DataFrame({"text": ["to be", None], "document_id": ["a", "b"]}, index=[7, 3])
    result = processor(batch)
    for row in result.to_dict("records"):
        output_schema.model_validate(row)
    assert list(result.index) == [7, 3]
    assert list(result["document_id"]) == ["a", "b"]
    assert list(batch.columns) == ["text", "document_id"], "the caller's batch is left as it was"


def test_a_meaning_told_in_other_words_is_closer_than_another_meaning(processor):
    told, retold, other = vectors(
        processor(
            pd.DataFrame(
                {
                    "text": [
                        "The doctor examined the sick child.",
                        "A physician looked after the young patient.",
                        "The stock market fell sharply on Monday.",
                    ]
                }
            )
        )
    )
    assert told @ retold > told @ other + 0.2


@pytest.mark.parametrize(
    ("query", "plays"),
    [
        ("a storm at sea wrecks the ship", {"pericles", "a-winter-s-tale"}),
        ("shall I drink the poison and die with my love", {"romeo-and-juliet"}),
        ("friends, Romans, Caesar was ambitious", {"julius-caesar"}),
        ("war against France", {"king-john", "henry-v"}),
    ],
)
def test_a_query_finds_the_plays_that_tell_of_it(query, plays, embedded):
    scores = vectors(embedded) @ np.array(RealtimeHandler().predict({"text": query})["embedding"])
    nearest = SAMPLES["object_id"].iloc[np.argsort(-scores)[:4]]
    assert plays <= set(nearest)


def test_the_nearest_speech_is_often_from_the_same_play(embedded):
    similarity = vectors(embedded) @ vectors(embedded).T
    np.fill_diagonal(similarity, -1.0)
    plays = SAMPLES["object_id"].to_numpy()
    share = (plays[similarity.argmax(axis=1)] == plays).mean()
    assert share > 4 / SAMPLES["object_id"].nunique(), "chance is one in as many plays; measured 0.14"


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_batch_size_changes_nothing(size, processor, embedded):
    rows = SAMPLES.iloc[:150]
    parts = [processor(rows.iloc[i : i + size]) for i in range(0, len(rows), size)]
    assert pd.concat(parts)[EMBEDDING_COLUMN].tolist() == embedded[EMBEDDING_COLUMN].iloc[:150].tolist()


@pytest.mark.parametrize("dtype", [None, "object", "string"])
@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, "", " \n"], ids=repr)
def test_a_missing_text_gets_no_vector(dtype, missing, processor):
    texts = pd.Series(["some words", missing], dtype=dtype)
    result = processor(pd.DataFrame({"text": texts}))[EMBEDDING_COLUMN]
    assert result.iloc[0] is not None
    assert result.iloc[1] is None


@pytest.mark.parametrize("text", ["?!", "\0", "\ufeff", "🦉", "a" * 9000], ids=ascii)
def test_odd_texts_get_finite_vectors(text, processor):
    assert np.isfinite(vectors(processor(pd.DataFrame({"text": [text]})))).all()


def test_a_long_text_is_cut():
    short = TextEmbedderProcessor(TextEmbedderConfig(max_characters=100))
    cut, whole = vectors(short(pd.DataFrame({"text": ["word " * 20, "word " * 20 + "and quite another end"]})))
    assert (cut == whole).all()


def test_an_empty_batch_stays_empty(processor):
    result = processor(pd.DataFrame({"text": pd.Series([], dtype="object")}))
    assert len(result) == 0
    assert EMBEDDING_COLUMN in result.columns


def test_a_realtime_query_gets_the_vector_of_the_batch(embedded):
    handler = RealtimeHandler()
    text = SAMPLES["data"].iloc[0]
    assert handler.predict({"text": text}) == {"embedding": embedded[EMBEDDING_COLUMN].iloc[0]}
    assert handler.predict({"data": text}) == handler.predict({"text": text})


def test_a_realtime_query_without_a_text_is_refused():
    with pytest.raises(ValueError, match="text"):
        RealtimeHandler().predict({"text": " "})


def test_the_pipeline_runs_the_platform_steps_first_and_then_ours():
    first = object()
    built = build_steps(request(), base_steps=[first])
    assert built["steps"][0] is first
    assert len(built["steps"]) == 2
    assert built["prepare"](SAMPLES) is SAMPLES


def test_a_parameter_that_does_not_exist_is_refused():
    with pytest.raises(ValidationError):
        build_steps(request({"maximum_characters": 10}))
