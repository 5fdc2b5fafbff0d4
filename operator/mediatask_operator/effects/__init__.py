"""What is done outside the cluster for a task: checking its result in the store, delivering its webhook.

Each effect runs in the pool of `pool.py`, never within a reconcile; its outcome is an observation that the next
reconcile takes into account.
"""
