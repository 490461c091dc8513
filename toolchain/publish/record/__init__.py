"""The record of a release: signed statements on one archive, in one file beside it."""
