"""my_extractor: a Mixpeek plugin that turns texts, pictures, sounds and PDFs into vectors."""
