"""In the worker of a source: what it makes, and how far it is."""
