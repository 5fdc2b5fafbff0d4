"""Inputs that a task names by URL: downloaded through the address guard, checked, kept as files of the pod."""
