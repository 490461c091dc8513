"""The abstract evaluator: what a Python file's expressions stand for, without running any of it."""
