"""The frame around a runner: what the pod is told, how it talks to the API, how it stops, and what it leaves behind."""
