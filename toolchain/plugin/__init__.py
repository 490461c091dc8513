"""A plugin on disk: its names, its templates, its manifest, its tree."""
