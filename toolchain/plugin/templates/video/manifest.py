"""What the platform reads about this plugin: its name, its schemas and the vector index it fills.

Keep ``metadata`` and ``features`` literal: tools read them from the source without running it.
"""

from pydantic import BaseModel, ConfigDict, Field


class MyExtractorInput(BaseModel):
    """One row going in. A missing film is allowed and leaves the row without a vector."""

    data: str | None = Field(default=None, description="Path of the film, relative to the plugin's folder.")


class MyExtractorOutput(BaseModel):
    """The columns that the plugin adds to a row: either a description, or nulls and the error."""

    my_extractor_embedding: list[float] | None = Field(description="Unit vector of 192 numbers.")
    my_extractor_duration_seconds: float | None = Field(ge=0, description="Length, where the file tells it.")
    my_extractor_error: str | None = Field(description="Why the film could not be read.")


class MyExtractorParams(BaseModel):
    """Settings of a collection that uses this plugin; an unknown name is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    frames: int = Field(default=8, ge=2, le=64, description="Number of frames looked at, spread evenly.")
    motion_weight: float = Field(
        default=0.4, ge=0, le=1, description="Share of the motion against the picture: 1 ignores the picture."
    )


metadata = {
    "feature_extractor_name": "my_extractor",
    "version": "1.0.0",
    "description": "__DESCRIPTION__",
    "category": "video",
    "author": "__AUTHOR__",
}

input_schema = MyExtractorInput
output_schema = MyExtractorOutput
parameter_schema = MyExtractorParams
supported_input_types = ["video"]

features = [
    {
        "feature_type": "embedding",
        "feature_name": "my_extractor_embedding",
        "embedding_dim": 192,
        "distance_metric": "cosine",
    },
]
