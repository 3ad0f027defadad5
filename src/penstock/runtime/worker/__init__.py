"""One process per replica: receives items, calls user code, sends what that makes, settles."""
