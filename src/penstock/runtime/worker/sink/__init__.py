"""In the worker of a sink: what is done is not done again."""
