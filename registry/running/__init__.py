"""Runs published plugins: the one part of the registry that knows the sandbox and the images."""
