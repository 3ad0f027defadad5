"""The command line: one file a verb, loaded when it is called.

This room may import every other one; none imports it. What ``penstock --help`` needs is ``main`` and
``group`` alone, so that it answers at once: a verb's own module is imported when the verb is used.
"""
