"""Moderation of requests: the rules, and the classifier that an installation may have."""
