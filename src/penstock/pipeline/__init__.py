"""What the user declares: stages, the graph they are wired into, and the plan made from it."""
