"""What the platform reads about this plugin: its name, its schemas and the vector index it fills.

Keep ``metadata`` and ``features`` literal: tools read them from the source without running it.
"""

from pydantic import BaseModel, ConfigDict, Field


class MyExtractorInput(BaseModel):
    """One row going in. A missing recording is allowed and leaves the row without a vector."""

    data: str | None = Field(
        default=None, description="Path of the recording, relative to the plugin's folder."
    )


class MyExtractorOutput(BaseModel):
    """The columns that the plugin adds to a row: either a description, or nulls and the error."""

    my_extractor_embedding: list[float] | None = Field(description="Unit vector of 256 numbers.")
    my_extractor_duration_seconds: float | None = Field(ge=0, description="Length of the whole recording.")
    my_extractor_loudness_dbfs: float | None = Field(
        description="Mean power of the part heard, in decibels; a sine wave at full scale has -3."
    )
    my_extractor_error: str | None = Field(description="Why the recording could not be read.")


class MyExtractorParams(BaseModel):
    """Settings of a collection that uses this plugin; an unknown name is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    max_seconds: float = Field(default=60.0, gt=0, le=3600, description="How much of the start is heard.")


metadata = {
    "feature_extractor_name": "my_extractor",
    "version": "1.0.0",
    "description": "__DESCRIPTION__",
    "category": "audio",
    "author": "__AUTHOR__",
}

input_schema = MyExtractorInput
output_schema = MyExtractorOutput
parameter_schema = MyExtractorParams
supported_input_types = ["audio"]

features = [
    {
        "feature_type": "embedding",
        "feature_name": "my_extractor_embedding",
        "embedding_dim": 256,
        "distance_metric": "cosine",
    },
]
