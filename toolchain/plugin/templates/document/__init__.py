"""my_extractor: a Mixpeek plugin that turns PDF documents into vectors."""
