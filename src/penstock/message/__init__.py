"""What travels: envelopes, values as bytes, arrays in shared memory. May import observe and below."""
