"""Locked, offline, reproducible images: requirements, lock, wheel store, layers, base and build."""
