"""my_extractor: a Mixpeek plugin that turns films into vectors."""
