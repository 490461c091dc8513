"""text_embedder: texts to vectors with WordLlama, a model that travels in its wheel."""
