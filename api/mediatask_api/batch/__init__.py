"""Many tasks in one request."""
