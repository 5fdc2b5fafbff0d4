"""What the operator and the API both need, and nothing else."""
