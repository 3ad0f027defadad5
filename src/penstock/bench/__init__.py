"""How fast is it, and compared with what: the benchmark behind ``penstock bench``.

Each case is a small pipeline (``apps/``) run by the real runtime, in fresh processes, in turn with a
peer: plain pyzmq (``peers.py``) doing the same work without our promises. May import anything below
it; nothing imports it but the command line.
"""
