"""What happened: events, numbers, logs. May import settings, lifecycle and errors only."""
