"""What this plugin promises. Run with ``mixpeek plugin test``."""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydantic import ValidationError

from ..manifest import features, output_schema, parameter_schema
from ..pipeline import build_steps
from ..processors.core import (
    EMBEDDING_COLUMN,
    EMBEDDING_DIM,
    ERROR_COLUMN,
    HEIGHT_COLUMN,
    WIDTH_COLUMN,
    MyExtractorConfig,
    MyExtractorProcessor,
)
from ..realtime import RealtimeHandler

FOLDER = Path(__file__).parent.parent
SAMPLES = json.loads((FOLDER / "samples.json").read_text(encoding="utf-8"))
PATHS = [str(FOLDER / row["data"]) for row in SAMPLES]


def describe(paths, **settings):
    """Run a fresh processor over paths, a list or a Series, and return the batch."""
    return MyExtractorProcessor(MyExtractorConfig(**settings))(pd.DataFrame({"data": paths}))


def similarity(first, second, **settings):
    paths = [str(FOLDER / "samples" / name) for name in (first, second)]
    return float(np.dot(*describe(paths, **settings)[EMBEDDING_COLUMN]))


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


def test_pictures_that_look_alike_are_closer_than_others():
    assert similarity("sunset.jpg", "dusk.jpg") > similarity("sunset.jpg", "meadow.jpg") + 0.1
    assert similarity("sunset.jpg", "dusk.jpg") > similarity("sunset.jpg", "stripes.png") + 0.1


def test_the_colour_weight_decides_between_colours_and_shapes():
    recoloured = similarity("sunset.jpg", "meadow.jpg", colour_weight=1.0)
    same_layout = similarity("sunset.jpg", "meadow.jpg", colour_weight=0.0)
    assert same_layout > recoloured + 0.2


def test_the_size_does_not_matter_but_is_told(tmp_path):
    with Image.open(FOLDER / "samples" / "bricks.png") as image:
        image.resize((320, 240)).save(tmp_path / "large.png")
    result = describe([str(FOLDER / "samples" / "bricks.png"), str(tmp_path / "large.png")])
    assert np.dot(*result[EMBEDDING_COLUMN]) > 0.95
    assert result[[WIDTH_COLUMN, HEIGHT_COLUMN]].to_numpy().tolist() == [[160, 120], [320, 240]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_gets_a_vector(mode, tmp_path):
    path = tmp_path / ("picture.tiff" if mode == "CMYK" else "picture.png")
    Image.new(mode, (10, 6)).save(path)
    result = describe([str(path)])
    assert len(result[EMBEDDING_COLUMN].iloc[0]) == EMBEDDING_DIM, result[ERROR_COLUMN].iloc[0]


@pytest.mark.parametrize("size", [1, 4])
def test_the_batch_size_changes_nothing(size):
    whole = describe(PATHS)[EMBEDDING_COLUMN].tolist()
    processor = MyExtractorProcessor(MyExtractorConfig())
    parts = [processor(pd.DataFrame({"data": PATHS[i : i + size]})) for i in range(0, len(PATHS), size)]
    assert pd.concat(parts)[EMBEDDING_COLUMN].tolist() == whole


@pytest.mark.parametrize("dtype", [None, "object", "string"])
@pytest.mark.parametrize(
    "missing", [None, float("nan"), pd.NA, "", "no/such.png", "s3://bucket/a.png", "x" * 5000], ids=str
)
def test_a_missing_picture_costs_only_its_row(dtype, missing):
    result = describe(pd.Series([PATHS[0], missing], dtype=dtype))
    assert result[EMBEDDING_COLUMN].notna().tolist() == [True, False]
    assert result[WIDTH_COLUMN].iloc[1] is None
    expected = "Error: " if isinstance(missing, str) else "no file is named"
    assert expected in result[ERROR_COLUMN].iloc[1]


def test_a_broken_picture_costs_only_its_row(tmp_path):
    whole = Path(PATHS[0]).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "empty.png").write_bytes(b"")
    paths = [str(tmp_path / name) for name in ("cut.jpg", "text.png", "empty.png")]
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


def test_a_realtime_query_without_a_picture_is_refused():
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
        build_steps(request({"color_weight": 1.0}))
