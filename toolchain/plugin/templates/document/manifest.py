"""What the platform reads about this plugin: its name, its schemas and the vector index it fills.

Keep ``metadata`` and ``features`` literal: tools read them from the source without running it.
"""

from pydantic import BaseModel, ConfigDict, Field


class MyExtractorInput(BaseModel):
    """One row going in. A missing document is allowed and leaves the row without a vector."""

    data: str | None = Field(default=None, description="Path of the PDF, relative to the plugin's folder.")


class MyExtractorOutput(BaseModel):
    """The columns that the plugin adds to a row."""

    my_extractor_embedding: list[float] | None = Field(
        description="Unit vector of 256 numbers, or null when the document holds no text."
    )
    my_extractor_title: str | None = Field(description="First line of the first page that holds text.")
    my_extractor_page_count: int | None = Field(ge=0, description="Number of all pages.")
    my_extractor_error: str | None = Field(description="Why there is no vector.")


class MyExtractorParams(BaseModel):
    """Settings of a collection that uses this plugin; an unknown name is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    max_pages: int = Field(
        default=50, ge=1, le=10_000, description="How many pages are read, from the first on."
    )
    first_page_weight: float = Field(
        default=2.0,
        ge=1,
        le=10,
        description="How often a word of the first page counts, against other pages.",
    )


metadata = {
    "feature_extractor_name": "my_extractor",
    "version": "1.0.0",
    "description": "__DESCRIPTION__",
    "category": "document",
    "author": "__AUTHOR__",
}

input_schema = MyExtractorInput
output_schema = MyExtractorOutput
parameter_schema = MyExtractorParams
supported_input_types = ["document"]

features = [
    {
        "feature_type": "embedding",
        "feature_name": "my_extractor_embedding",
        "embedding_dim": 256,
        "distance_metric": "cosine",
    },
]
