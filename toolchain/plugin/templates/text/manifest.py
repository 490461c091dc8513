"""What the platform reads about this plugin: its name, its schemas and the vector index it fills.

Keep ``metadata`` and ``features`` literal: tools read them from the source without running it.
"""

from pydantic import BaseModel, ConfigDict, Field


class MyExtractorInput(BaseModel):
    """One row going in. A missing text is allowed and leaves the row without a vector."""

    text: str | None = Field(
        default=None, description="The text to embed; hosted batches carry it as `data`."
    )


class MyExtractorOutput(BaseModel):
    """The columns that the plugin adds to a row."""

    my_extractor_embedding: list[float] | None = Field(
        description="Unit vector of 256 numbers, or null when the text holds no word."
    )
    my_extractor_word_count: int = Field(ge=0, description="Number of words found in the text.")


class MyExtractorParams(BaseModel):
    """Settings of a collection that uses this plugin; an unknown name is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    piece_length: int = Field(default=4, ge=2, le=8, description="Length of a word piece, in characters.")
    word_weight: float = Field(
        default=0.4, ge=0, le=1, description="Share of the whole word against its pieces: 1 ignores spelling."
    )


metadata = {
    "feature_extractor_name": "my_extractor",
    "version": "1.0.0",
    "description": "__DESCRIPTION__",
    "category": "text",
    "author": "__AUTHOR__",
}

input_schema = MyExtractorInput
output_schema = MyExtractorOutput
parameter_schema = MyExtractorParams
supported_input_types = ["text"]

features = [
    {
        "feature_type": "embedding",
        "feature_name": "my_extractor_embedding",
        "embedding_dim": 256,
        "distance_metric": "cosine",
    },
]
