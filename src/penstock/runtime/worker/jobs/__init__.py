"""In the worker of a group of tasks: one attempt of a job after the other."""
