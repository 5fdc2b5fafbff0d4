"""What is done about it in the cluster and in Redis: Jobs, status, Events, the view."""
