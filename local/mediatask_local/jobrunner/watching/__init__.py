"""Watched collections and the queue of what has changed."""
