"""Objects in memory, and in SQLite before any response."""
