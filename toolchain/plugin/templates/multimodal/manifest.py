"""What the platform reads about this plugin: its name, its schemas and the vector index it fills.

Keep ``metadata`` and ``features`` literal: tools read them from the source without running it.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class MyExtractorInput(BaseModel):
    """One row going in; its MIME type decides which processor sees it."""

    data: str | None = Field(
        default=None, description="The text itself, or the path of a file, relative to the plugin's folder."
    )
    mime_type: str | None = Field(default=None, description="For example `text/plain` or `image/png`.")


class MyExtractorOutput(BaseModel):
    """The columns that the plugin adds to a row; rows of other kinds than these four keep nulls."""

    my_extractor_embedding: list[float] | None = Field(
        default=None, description="Unit vector of 256 numbers; those of texts and PDFs share their places."
    )
    my_extractor_kind: Literal["text", "image", "audio", "pdf"] | None = Field(
        default=None, description="Which processor made the vector."
    )
    my_extractor_error: str | None = Field(default=None, description="Why there is no vector.")


class MyExtractorParams(BaseModel):
    """Settings of a collection that uses this plugin; an unknown name is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    max_pages: int = Field(default=50, ge=1, le=10_000, description="How many pages of a PDF are read.")
    max_seconds: float = Field(default=60.0, gt=0, le=600, description="How much of a sound is heard.")


metadata = {
    "feature_extractor_name": "my_extractor",
    "version": "1.0.0",
    "description": "__DESCRIPTION__",
    "category": "multimodal",
    "author": "__AUTHOR__",
}

input_schema = MyExtractorInput
output_schema = MyExtractorOutput
parameter_schema = MyExtractorParams
supported_input_types = ["text", "image", "audio", "document"]

features = [
    {
        "feature_type": "embedding",
        "feature_name": "my_extractor_embedding",
        "embedding_dim": 256,
        "distance_metric": "cosine",
    },
]
