"""The worker of a service."""
