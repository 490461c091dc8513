"""my_extractor: a Mixpeek plugin that turns pictures into vectors."""
