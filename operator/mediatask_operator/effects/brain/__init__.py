"""The Brain: what it adds to tasks, and what it is told of their results."""
