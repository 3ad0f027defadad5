"""The agent: what runs a pipeline's workers on a host that has joined."""
