"""What Job pods report, and what they get: the internal routes."""
