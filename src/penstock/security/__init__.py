"""Who may speak: keys in files of their owner, and who is let in. May import errors and the ground.

``curve`` knows zmq; ``keys`` and ``gate`` do not.
"""

from penstock.security.keys import ROLES, Admits, KeyPair, Keyring, Towards, Trusted

__all__ = ["ROLES", "Admits", "KeyPair", "Keyring", "Towards", "Trusted"]
