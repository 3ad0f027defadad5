"""The peers of jobs: the same job that does nothing, as users of other queues write and run it."""
