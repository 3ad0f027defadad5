"""What a supervisor decides: who is there, what is to be done now. Nothing here does it."""
