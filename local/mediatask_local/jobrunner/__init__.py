"""The embedded Job runner: Job controller, scheduler and kubelet of one machine, in one process.

It works with any API server, and its labels, statuses, conditions, exit codes and reasons are those of a real
cluster. Pods run as plain processes; `pods/kubelet.py` lists what they lack.
"""
