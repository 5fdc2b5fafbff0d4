"""The operator: follows MediaTasks, Jobs and pods, and makes the one match the other.

Where to look first: `reconcile.py` holds the rule that decides everything, `attempts.py` reads what became of a
Job, `status.py` words it; `controller.py` is the loop around them that touches the cluster.
"""
