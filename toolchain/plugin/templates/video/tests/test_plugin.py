"""What this plugin promises. Run with ``mixpeek plugin test``."""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from ..manifest import features, output_schema, parameter_schema
from ..pipeline import build_steps
from ..processors.core import (
    DURATION_COLUMN,
    EMBEDDING_COLUMN,
    EMBEDDING_DIM,
    ERROR_COLUMN,
    MyExtractorConfig,
    MyExtractorProcessor,
    read_frames,
)
from ..realtime import RealtimeHandler

FOLDER = Path(__file__).parent.parent
SAMPLES = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))
PATHS = [str(FOLDER / row["data"]) for row in SAMPLES]


def describe(paths, **settings):
    """Run a fresh processor over paths, a list or a Series, and return the batch."""
    return MyExtractorProcessor(MyExtractorConfig(**settings))(pd.DataFrame({"data": paths}))


def film(path, brightness, size=(64, 48), fps=10):
    """Write a film of one frame for each brightness (0 to 255) and return its path."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for level in brightness:
            pixels = np.full((size[1], size[0], 3), level, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
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


def test_the_frames_are_spread_over_the_whole_film(tmp_path):
    path = film(tmp_path / "fade.mp4", range(0, 250, 5))
    frames, duration = read_frames(path, 5)
    assert frames.mean(axis=(1, 2, 3)) == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9], abs=0.05)
    assert duration == pytest.approx(5.0, abs=0.2)


def test_motion_tells_films_apart_that_show_the_same(tmp_path):
    still = film(tmp_path / "still.mp4", [119] * 16)
    blinking = film(tmp_path / "blinking.mp4", [112, 112, 126, 126] * 4)
    without, with_motion = (
        np.dot(*describe([still, blinking], motion_weight=weight)[EMBEDDING_COLUMN]) for weight in (0.0, 0.6)
    )
    assert without > with_motion + 0.1


def test_the_size_does_not_matter(tmp_path):
    levels = range(0, 240, 15)
    small = film(tmp_path / "small.mp4", levels)
    large = film(tmp_path / "large.mp4", levels, size=(320, 240))
    assert np.dot(*describe([small, large])[EMBEDDING_COLUMN]) > 0.95


def test_the_duration_is_told():
    assert describe(PATHS)[DURATION_COLUMN].tolist() == pytest.approx([2.0] * 3)


def test_a_film_of_one_frame_gets_a_vector(tmp_path):
    result = describe([film(tmp_path / "one.mp4", [200])])
    assert len(result[EMBEDDING_COLUMN].iloc[0]) == EMBEDDING_DIM, result[ERROR_COLUMN].iloc[0]


@pytest.mark.parametrize("size", [1, 2])
def test_the_batch_size_changes_nothing(size):
    whole = describe(PATHS)[EMBEDDING_COLUMN].tolist()
    processor = MyExtractorProcessor(MyExtractorConfig())
    parts = [processor(pd.DataFrame({"data": PATHS[i : i + size]})) for i in range(0, len(PATHS), size)]
    assert pd.concat(parts)[EMBEDDING_COLUMN].tolist() == whole


@pytest.mark.parametrize("dtype", [None, "object", "string"])
@pytest.mark.parametrize(
    "missing", [None, float("nan"), pd.NA, "", "no/such.mp4", "http://127.0.0.1:9/a.mp4", "x" * 5000], ids=str
)
def test_a_missing_film_costs_only_its_row(dtype, missing):
    result = describe(pd.Series([PATHS[0], missing], dtype=dtype))
    assert result[EMBEDDING_COLUMN].notna().tolist() == [True, False]
    assert result[DURATION_COLUMN].iloc[1] is None
    expected = "Error: " if isinstance(missing, str) else "no file is named"
    assert expected in result[ERROR_COLUMN].iloc[1]


def test_a_broken_film_costs_only_its_row(tmp_path):
    whole = Path(PATHS[0]).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "empty.mp4").write_bytes(b"")
    paths = [str(tmp_path / name) for name in ("cut.mp4", "text.mp4", "empty.mp4")]
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


def test_a_realtime_query_without_a_film_is_refused():
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
        build_steps(request({"frame": 8}))
