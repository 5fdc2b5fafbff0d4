"""The operator: follows MediaTasks, Jobs and pods, and makes the one match the other.

`watching/` knows what is the case, `deciding/` says what follows from it (`reconcile.py` holds the rule that decides
everything, `attempts.py` reads what became of a Job, `status.py` words it), `acting/` (in the cluster) and `effects/`
(outside of it) carry it out; `controller.py` is the loop through them, `slots.py` its step that gives tasks their turn.
"""
