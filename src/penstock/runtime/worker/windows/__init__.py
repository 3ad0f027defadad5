"""In the worker of a window or a join: items put together."""
