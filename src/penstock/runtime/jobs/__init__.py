"""In the supervisor: jobs between their store or broker and the workers of its groups."""
