"""What the user declares: stages, the flows they are wired into, and the plan made from it.

Wiring process and workers both import this room, so it runs on Python 3.9 with msgspec alone; `graph` and
`plan` decide and do no I/O. The one step uphill is `Pipeline.run`, which imports the runtime when called.
"""
