"""In the worker: what is published, and what subscribers get of it."""
