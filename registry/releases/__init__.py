"""From an upload to a release: what was sent is proved again, state by state."""
