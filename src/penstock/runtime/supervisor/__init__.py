"""One process per run: starts the workers, watches them, answers the command line. Runs no user code."""
