"""In the worker: several items in hand at once, in coroutines or in threads."""
