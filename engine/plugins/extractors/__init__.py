"""The extractor contract; plugins import it from ``engine.plugins.extractors.pipeline``."""
