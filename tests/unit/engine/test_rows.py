"""MIME types by row, the rows that conditions select, and completed columns."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.media import MIME_TYPE_OF_EXTENSION
from engine.plugins.extractors.pipeline import RowCondition
from engine.rows import complete_columns, condition_mask, mime_matches, mime_types


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("a sentence", "text/plain"),
        ("", "text/plain"),
        ("two lines\nand cat.jpg", "text/plain"),
        ("look at cat.jpg", "text/plain"),
        ("https://example.com has a cat.jpg", "text/plain"),
        ("node.js", "text/plain"),
        (".jpg", "text/plain"),
        ("cat.jpg", "image/jpeg"),
        ("CAT.JPG", "image/jpeg"),
        ("s3://bucket/my cat.png", "image/png"),
        ("https://example.com/a.mp4?signature=x.y/z", "video/mp4"),
        ("https://example.com/a.webm#t=10", "video/webm"),
        ("/home/me/my talk.mp3", "audio/mpeg"),
        ("./report.pdf", "application/pdf"),
        ("C:\\scans\\report one.pdf", "application/pdf"),
        ("s3://bucket/notes.txt", "text/plain"),
        ("archive.zip", "application/zip"),
        ("https://example.com/page", None),
        ("s3://bucket/key with space", None),
        (None, None),
    ],
)
def test_the_type_is_inferred_from_data(data, expected):
    table = pa.table({"data": pa.array([data], pa.string())})
    assert mime_types(table).to_pylist() == [expected]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("image/png", "image/png"),
        ("Text/HTML; charset=utf-8", "text/html"),
        (" text/plain ;x=y", "text/plain"),
        ("", "video/mp4"),
        (None, "video/mp4"),
    ],
)
def test_a_declared_type_wins_and_an_empty_one_is_inferred(declared, expected):
    table = pa.table({"mime_type": pa.array([declared], pa.string()), "data": ["s3://b/a.mp4"]})
    assert mime_types(table).to_pylist() == [expected]


def test_text_counts_where_data_says_nothing():
    table = pa.table({"data": ["s3://b/k", "s3://b/a.jpg", None], "text": ["words", "caption", None]})
    assert mime_types(table).to_pylist() == ["text/plain", "image/jpeg", None]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_every_kind_of_string_column_is_read(kind):
    table = pa.table({"data": pa.array(["a.jpg", "words", None]).cast(kind)})
    assert mime_types(table).to_pylist() == ["image/jpeg", "text/plain", None]
    assert complete_columns(table)["text"].to_pylist() == [None, "words", None]


def test_chunked_columns_and_data_that_is_no_text():
    table = pa.concat_tables([pa.table({"data": ["a"]}), pa.table({"data": ["b.png"]})])
    assert mime_types(table).to_pylist() == ["text/plain", "image/png"]
    assert mime_types(pa.table({"data": [1, 2]})).to_pylist() == [None, None]
    assert mime_types(pa.table({"data": pa.nulls(2)})).to_pylist() == [None, None]


def test_a_mime_type_column_of_numbers_is_an_error():
    with pytest.raises(TypeError, match=r"mime_type holds int64.*strings"):
        mime_types(pa.table({"mime_type": [1]}))


@pytest.mark.parametrize(
    ("condition", "selected"),
    [
        (RowCondition.ALWAYS, [1, 1, 1, 1, 1, 1]),
        (RowCondition.IS_TEXT, [1, 0, 0, 0, 0, 0]),
        (RowCondition.IS_IMAGE, [0, 1, 0, 0, 0, 0]),
        (RowCondition.IS_VIDEO, [0, 0, 1, 0, 0, 0]),
        (RowCondition.IS_AUDIO, [0, 0, 0, 1, 0, 0]),
        (RowCondition.IS_PDF, [0, 0, 0, 0, 1, 0]),
        (RowCondition.IS_VISUAL, [0, 1, 1, 0, 0, 0]),
        (RowCondition.IS_VIDEO_OR_AUDIO, [0, 0, 1, 1, 0, 0]),
    ],
)
def test_each_condition_selects_its_rows(condition, selected):
    names = ["text/csv", "image/png", "video/mp4", "audio/wav", "application/pdf", None]
    types = mime_types(pa.table({"mime_type": names}))
    assert condition_mask(types, condition).tolist() == [bool(flag) for flag in selected]


def test_every_condition_answers_for_no_rows():
    types = mime_types(pa.table({"mime_type": pa.array([], pa.string())}))
    assert all(condition_mask(types, condition).shape == (0,) for condition in RowCondition)


def test_data_gains_text_and_a_type():
    table = complete_columns(pa.table({"data": ["words", "s3://b/a.jpg", "s3://b/notes.txt", None]}))
    assert table["text"].to_pylist() == ["words", None, None, None]
    assert table["mime_type"].to_pylist() == ["text/plain", "image/jpeg", "text/plain", None]


def test_a_declared_text_row_is_text_even_when_it_reads_like_a_location():
    table = complete_columns(
        pa.table({"data": ["https://a.b/c.txt", "x"], "mime_type": ["text/plain", "image/png"]})
    )
    assert table["text"].to_pylist() == ["https://a.b/c.txt", None]
    assert table["mime_type"].to_pylist() == ["text/plain", "image/png"]


def test_text_gains_data_and_nothing_present_is_replaced():
    table = complete_columns(pa.table({"text": ["words", None]}))
    assert table["data"].to_pylist() == ["words", None]
    whole = pa.table({"data": ["x"], "text": ["y"], "mime_type": ["image/png"]})
    assert complete_columns(whole).equals(whole)


def test_no_text_column_without_text_rows():
    table = complete_columns(pa.table({"data": ["a.jpg", "b.mp4"]}))
    assert table.column_names == ["data", "mime_type"]


TEXT = st.one_of(
    st.none(), st.text(max_size=8), st.sampled_from(["a.jpg", "s3://b/c d.mp4", "https://x/y", "/z.pdf?q=1"])
)


@given(
    st.lists(
        st.tuples(TEXT, st.one_of(st.none(), st.sampled_from(["", "text/plain", "IMAGE/png; a=b"]))), max_size=12
    )
)
def test_a_table_is_typed_as_its_rows_alone_would_be(rows):
    table = pa.table(
        {
            "data": pa.array([r[0] for r in rows], pa.string()),
            "mime_type": pa.array([r[1] for r in rows], pa.string()),
        }
    )
    together = mime_types(table).to_pylist()
    assert together == [mime_types(table.slice(n, 1)).to_pylist()[0] for n in range(len(rows))]
    for condition in RowCondition:
        expected = [mime_matches(name, condition) for name in together]
        assert np.array_equal(condition_mask(mime_types(table), condition), expected)
    completed = complete_columns(table)
    assert completed.select(["data", "mime_type"]).equals(table)


def test_every_extension_is_found_in_any_case():
    table = pa.table({"data": [f"s3://b/x.{name.upper()}" for name in MIME_TYPE_OF_EXTENSION]})
    assert mime_types(table).to_pylist() == list(MIME_TYPE_OF_EXTENSION.values())
