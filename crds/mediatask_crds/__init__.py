"""The API types of MediaTask: resources, task types, and what a Job pod and the API say to each other.

Everything else in this project validates against these models; nothing here imports the rest.
"""
