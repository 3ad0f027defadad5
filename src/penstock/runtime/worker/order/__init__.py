"""In the worker: items in the order in which they were made."""
