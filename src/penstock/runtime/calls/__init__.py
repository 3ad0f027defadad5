"""Calls of services, from whatever process: a worker, a notebook, a web server."""
