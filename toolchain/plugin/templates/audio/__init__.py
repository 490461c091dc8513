"""my_extractor: a Mixpeek plugin that turns recordings into vectors."""
