"""What a plugin may import from the engine."""
