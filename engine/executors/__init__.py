"""Executors run built steps over batches: `local` in this process."""
