"""In processes that people start themselves: scripts that take part, and one replica under a debugger."""
