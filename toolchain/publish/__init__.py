"""Packing, attesting, verifying and publishing a plugin; nothing heavy is imported before it is used."""
