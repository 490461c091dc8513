"""What this plugin promises. Run with ``mixpeek plugin test``."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
from pydantic import ValidationError

from ..manifest import features, output_schema, parameter_schema
from ..pipeline import CONDITIONS, build_steps
from ..processors.core import (
    EMBEDDING_COLUMN,
    EMBEDDING_DIM,
    ERROR_COLUMN,
    KIND_COLUMN,
    PICTURES,
    PLACES,
    SOUNDS,
    WORDS,
    MyExtractorConfig,
    MyExtractorProcessor,
    kind_of,
)
from ..realtime import RealtimeHandler

FOLDER = Path(__file__).parent.parent
SAMPLES = pd.DataFrame(json.loads((FOLDER / "samples.json").read_text(encoding="utf-8")))
IS_FILE = SAMPLES["data"].str.startswith("samples/")
SAMPLES.loc[IS_FILE, "data"] = [str(FOLDER / path) for path in SAMPLES.loc[IS_FILE, "data"]]
KINDS = [kind_of(mime_type) for mime_type in SAMPLES["mime_type"]]


def run(batch, kinds=tuple(PLACES)):
    """Send a batch through one processor of each kind, in the order given."""
    for kind in kinds:
        batch = MyExtractorProcessor(MyExtractorConfig(kind))(batch)
    return batch


def vectors(batch):
    return np.array(batch[EMBEDDING_COLUMN].tolist())


def request(parameters=None):
    return SimpleNamespace(extractor_config=SimpleNamespace(parameters=parameters))


def test_every_sample_gets_a_unit_vector_of_the_declared_length():
    result = run(SAMPLES)
    found = vectors(result)
    assert found.shape == (len(SAMPLES), features[0]["embedding_dim"])
    assert np.isfinite(found).all()
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert len(np.unique(found, axis=0)) == len(SAMPLES)
    assert result[KIND_COLUMN].tolist() == KINDS
    assert result[ERROR_COLUMN].isna().all()


def test_the_manifest_agrees_with_the_processors():
    assert (features[0]["feature_name"], features[0]["embedding_dim"]) == (EMBEDDING_COLUMN, EMBEDDING_DIM)
    config = MyExtractorConfig("pdf", **parameter_schema().model_dump())
    assert config == MyExtractorConfig("pdf")
    assert set(CONDITIONS) == set(PLACES)


def test_rows_fit_the_output_schema_and_keep_their_other_columns():
    batch = SAMPLES.set_index(pd.Index(range(20, 20 + len(SAMPLES))))
    result = run(batch)
    for row in result.to_dict("records"):
        output_schema.model_validate(row)
    assert list(result.index) == list(batch.index)
    assert list(result["document_id"]) == list(SAMPLES["document_id"])
    assert EMBEDDING_COLUMN not in batch.columns, "the caller's batch is left as it was"


def test_the_order_of_the_steps_changes_nothing():
    assert (
        run(SAMPLES)[EMBEDDING_COLUMN].tolist()
        == run(SAMPLES, tuple(PLACES)[::-1])[EMBEDDING_COLUMN].tolist()
    )


def test_a_step_that_gets_only_its_own_rows_leaves_the_others_alone():
    whole = run(SAMPLES)
    batch = SAMPLES.drop(columns="mime_type")
    for kind in PLACES:
        mine = np.array(KINDS) == kind
        done = MyExtractorProcessor(MyExtractorConfig(kind))(batch[mine])
        batch = pd.concat([done, batch[~mine]]).sort_index()
    assert batch[EMBEDDING_COLUMN].tolist() == whole[EMBEDDING_COLUMN].tolist()
    assert batch[KIND_COLUMN].tolist() == KINDS


def test_rows_of_other_kinds_keep_what_an_earlier_step_wrote():
    batch = pd.DataFrame(
        {
            "data": ["clip.mp4", "some words"],
            "mime_type": ["video/mp4", "text/plain"],
            EMBEDDING_COLUMN: pd.Series([[1.0, 0.0], None], dtype=object),
        }
    )
    result = run(batch)
    assert result[EMBEDDING_COLUMN].iloc[0] == [1.0, 0.0]
    assert len(result[EMBEDDING_COLUMN].iloc[1]) == EMBEDDING_DIM


def test_a_text_finds_the_pdf_on_its_subject():
    found = vectors(run(SAMPLES))
    bread, pump = found[0], found[1]
    recipe, manual = found[7], found[8]
    assert bread @ recipe > bread @ manual + 0.1
    assert pump @ manual > pump @ recipe + 0.1


def test_words_pictures_and_sounds_are_never_near_each_other_by_accident():
    for kind, vector in zip(KINDS, vectors(run(SAMPLES)), strict=True):
        for places in (WORDS, PICTURES, SOUNDS):
            assert np.any(vector[places]) == (places == PLACES[kind])


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_batch_size_changes_nothing(size):
    parts = [run(SAMPLES.iloc[i : i + size]) for i in range(0, len(SAMPLES), size)]
    assert pd.concat(parts)[EMBEDDING_COLUMN].tolist() == run(SAMPLES)[EMBEDDING_COLUMN].tolist()


@pytest.mark.parametrize("dtype", [None, "object", "string"])
@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, ""], ids=repr)
def test_a_missing_value_costs_only_its_row(dtype, kind, missing):
    good = SAMPLES["data"][KINDS.index(kind)]
    result = run(pd.DataFrame({"data": pd.Series([good, missing], dtype=dtype)}), [kind])
    assert result[EMBEDDING_COLUMN].notna().tolist() == [True, False]
    assert result[ERROR_COLUMN].notna().tolist() == [False, True]
    assert result[KIND_COLUMN].iloc[1] is None


@pytest.mark.parametrize("kind", ["image", "audio", "pdf"])
def test_a_broken_file_costs_only_its_row(kind, tmp_path):
    good = SAMPLES["data"][KINDS.index(kind)]
    (tmp_path / "broken").write_bytes(Path(good).read_bytes()[:40])
    batch = pd.DataFrame({"data": [str(tmp_path / "broken"), str(tmp_path / "nowhere"), good]})
    assert run(batch, [kind])[EMBEDDING_COLUMN].notna().tolist() == [False, False, True]


@pytest.mark.parametrize("level", [0.0, np.nan, np.inf], ids=str)
def test_a_sound_of_nothing_gets_no_vector_but_a_reason(level, tmp_path):
    soundfile.write(tmp_path / "nothing.wav", np.full(8000, level), 8000, subtype="FLOAT")
    result = run(pd.DataFrame({"data": [str(tmp_path / "nothing.wav")]}), ["audio"])
    assert result[EMBEDDING_COLUMN].iloc[0] is None
    assert result[ERROR_COLUMN].iloc[0] is not None


def test_texts_are_read_where_there_is_no_data_column():
    texts = SAMPLES["data"][:3].tolist()
    by_text = run(pd.DataFrame({"text": texts}), ["text"])
    assert by_text[EMBEDDING_COLUMN].tolist() == run(SAMPLES)[EMBEDDING_COLUMN][:3].tolist()


@pytest.mark.parametrize(
    ("mime_type", "kind"),
    [
        ("text/plain; charset=utf-8", "text"),
        ("IMAGE/PNG", "image"),
        ("application/pdf", "pdf"),
        ("video/mp4", "other"),
        ("application/zip", "other"),
        (None, None),
        (" ", None),
        (float("nan"), None),
        (pd.NA, None),
    ],
    ids=repr,
)
def test_the_mime_type_tells_the_kind(mime_type, kind):
    assert kind_of(mime_type) == kind


def test_an_empty_batch_stays_empty():
    result = run(SAMPLES.iloc[:0])
    assert len(result) == 0
    assert EMBEDDING_COLUMN in result.columns


@pytest.mark.parametrize("row", range(len(SAMPLES)))
def test_a_realtime_query_gets_the_vector_of_the_batch(row):
    answer = RealtimeHandler().predict(SAMPLES.iloc[row].to_dict())
    assert answer == {"embedding": run(SAMPLES)[EMBEDDING_COLUMN].iloc[row]}


@pytest.mark.parametrize("query", [{}, {"text": "?"}, {"data": "a.mp4", "mime_type": "video/mp4"}], ids=str)
def test_a_realtime_query_that_cannot_be_encoded_is_refused(query):
    with pytest.raises(ValueError, match=r"encode"):
        RealtimeHandler().predict(query)


def test_the_pipeline_runs_the_platform_steps_first_and_then_ours():
    first = object()
    built = build_steps(request(), base_steps=[first])
    assert built["steps"][0] is first
    assert len(built["steps"]) == 1 + len(PLACES)
    assert built["prepare"](SAMPLES) is SAMPLES


def test_a_parameter_that_does_not_exist_is_refused():
    with pytest.raises(ValidationError):
        build_steps(request({"pages": 3}))
