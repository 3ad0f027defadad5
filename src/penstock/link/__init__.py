"""How it travels: credit, ledger, batches, and the sockets that carry them. May import message and below."""
