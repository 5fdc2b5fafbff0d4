"""How tasks are read: from Redis where it is current, else from Kubernetes."""
