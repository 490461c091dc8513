"""What the platform reads about this plugin: its name, its schemas and the vector index it fills."""

from pydantic import BaseModel, ConfigDict, Field


class TextEmbedderInput(BaseModel):
    """One row going in. A missing text is allowed and leaves the row without a vector."""

    text: str | None = Field(default=None, description="The text to embed; hosted batches carry it as `data`.")


class TextEmbedderOutput(BaseModel):
    """The column that the plugin adds to a row."""

    text_embedder_embedding: list[float] | None = Field(
        description="Unit vector of 256 numbers, or null when there is no text."
    )


class TextEmbedderParams(BaseModel):
    """Settings of a collection that uses this plugin; an unknown name is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    max_characters: int = Field(
        default=8000,
        ge=100,
        le=100_000,
        description="Longer texts are cut here: memory grows with the longest text of a batch.",
    )


metadata = {
    "feature_extractor_name": "text_embedder",
    "version": "1.0.0",
    "description": "Embeds texts with WordLlama, a small model that needs no download and no GPU",
    "category": "text",
    "author": "Mixpeek plugin toolchain",
}

input_schema = TextEmbedderInput
output_schema = TextEmbedderOutput
parameter_schema = TextEmbedderParams
supported_input_types = ["text"]

features = [
    {
        "feature_type": "embedding",
        "feature_name": "text_embedder_embedding",
        "embedding_dim": 256,
        "distance_metric": "cosine",
    },
]
