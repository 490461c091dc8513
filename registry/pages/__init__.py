"""The reviewers' pages: rendered here, without script, without anything from elsewhere."""
