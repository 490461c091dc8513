"""my_extractor: a Mixpeek plugin that turns texts into vectors."""
