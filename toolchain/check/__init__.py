"""Checks a plugin: what its files say, what the guest found when it ran them, and the verdict over both."""
