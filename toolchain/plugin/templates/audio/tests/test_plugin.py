"""What this plugin promises. Run with ``mixpeek plugin test``."""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
from pydantic import ValidationError

from ..manifest import features, output_schema, parameter_schema
from ..pipeline import build_steps
from ..processors.core import (
    DURATION_COLUMN,
    EMBEDDING_COLUMN,
    EMBEDDING_DIM,
    ERROR_COLUMN,
    LOUDNESS_COLUMN,
    MyExtractorConfig,
    MyExtractorProcessor,
    pitch_filters,
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


def recording(path, samples, rate=16_000):
    soundfile.write(path, samples, rate)
    return str(path)


def tone(hertz, rate=16_000, seconds=1.0, loudness=0.5):
    return loudness * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


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


def test_recordings_that_sound_alike_are_closer_than_others(tmp_path):
    low = recording(tmp_path / "low.wav", tone(220))
    near = recording(tmp_path / "near.wav", tone(225))
    high = recording(tmp_path / "high.wav", tone(1900))
    assert similarity(low, near) > similarity(low, high) + 0.3
    assert similarity(low, near) > similarity(low, PATHS[2]) + 0.3


def test_the_volume_does_not_matter_but_is_told(tmp_path):
    loud = recording(tmp_path / "loud.flac", tone(440, loudness=0.8))
    soft = recording(tmp_path / "soft.flac", tone(440, loudness=0.2))
    result = describe([loud, soft])
    assert np.dot(*result[EMBEDDING_COLUMN]) > 0.95
    assert result[LOUDNESS_COLUMN].tolist() == pytest.approx([-4.9, -17.0], abs=0.1)


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 96_000])
def test_the_sample_rate_and_the_channels_do_not_matter(rate, tmp_path):
    reference = recording(tmp_path / "reference.wav", tone(440) * np.hanning(16_000))
    mono = tone(440, rate) * np.hanning(rate)
    other = recording(tmp_path / "other.wav", np.column_stack([mono, mono]), rate)
    assert similarity(reference, other) > 0.9


def test_every_pitch_band_hears_something():
    assert all((pitch_filters(rate).sum(axis=0) > 0).all() for rate in (8_000, 11_025, 16_000, 48_000))


def test_the_duration_is_that_of_the_whole_and_only_the_start_is_heard(tmp_path):
    start = tone(300, seconds=2.0)
    whole = recording(tmp_path / "whole.wav", np.concatenate([start, tone(2000, seconds=7.5)]))
    result = describe([whole, recording(tmp_path / "start.wav", start)], max_seconds=2.0)
    assert result[DURATION_COLUMN].tolist() == pytest.approx([9.5, 2.0])
    assert result[EMBEDDING_COLUMN].iloc[0] == result[EMBEDDING_COLUMN].iloc[1]


def test_a_recording_shorter_than_a_window_gets_a_vector(tmp_path):
    result = describe([recording(tmp_path / "click.wav", [0.0, 0.9, -0.9])])
    assert len(result[EMBEDDING_COLUMN].iloc[0]) == EMBEDDING_DIM, result[ERROR_COLUMN].iloc[0]


@pytest.mark.parametrize(
    "samples",
    [np.zeros(8000), np.full(8000, np.nan), np.full(8000, np.inf), np.zeros(0)],
    ids=["zero", "nan", "inf", "none"],
)
def test_silence_gets_no_vector_but_a_reason(samples, tmp_path):
    soundfile.write(tmp_path / "silent.wav", samples, 16_000, subtype="FLOAT")
    result = describe([str(tmp_path / "silent.wav"), PATHS[0]])
    assert result[EMBEDDING_COLUMN].notna().tolist() == [False, True]
    assert result[ERROR_COLUMN].notna().tolist() == [True, False]


@pytest.mark.parametrize("size", [1, 2])
def test_the_batch_size_changes_nothing(size):
    whole = describe(PATHS)[EMBEDDING_COLUMN].tolist()
    processor = MyExtractorProcessor(MyExtractorConfig())
    parts = [processor(pd.DataFrame({"data": PATHS[i : i + size]})) for i in range(0, len(PATHS), size)]
    assert pd.concat(parts)[EMBEDDING_COLUMN].tolist() == whole


@pytest.mark.parametrize("dtype", [None, "object", "string"])
@pytest.mark.parametrize(
    "missing", [None, float("nan"), pd.NA, "", "no/such.wav", "s3://bucket/a.wav", "x" * 5000], ids=str
)
def test_a_missing_recording_costs_only_its_row(dtype, missing):
    result = describe(pd.Series([PATHS[0], missing], dtype=dtype))
    assert result[EMBEDDING_COLUMN].notna().tolist() == [True, False]
    assert result[DURATION_COLUMN].iloc[1] is None
    expected = "Error: " if isinstance(missing, str) else "no file is named"
    assert expected in result[ERROR_COLUMN].iloc[1]


def test_a_broken_recording_costs_only_its_row(tmp_path):
    whole = Path(PATHS[0]).read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[:30])
    (tmp_path / "text.wav").write_text("no recording")
    (tmp_path / "empty.wav").write_bytes(b"")
    paths = [str(tmp_path / name) for name in ("cut.wav", "text.wav", "empty.wav")]
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


def test_a_realtime_query_without_a_recording_is_refused():
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
        build_steps(request({"seconds": 8}))
