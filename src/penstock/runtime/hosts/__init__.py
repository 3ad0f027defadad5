"""Other hosts, seen from the supervisor: who has joined, and the workers there."""
