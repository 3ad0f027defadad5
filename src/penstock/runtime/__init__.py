"""What keeps it running: a supervisor per run, a worker per replica, and the words between them."""
