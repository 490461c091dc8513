"""The plugin's own logic."""
