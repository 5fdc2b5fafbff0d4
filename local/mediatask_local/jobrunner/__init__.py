"""The embedded Job runner: Job controller, scheduler and kubelet of one machine, as one process.

It speaks to any API server by list and watch alone, and leaves behind what a real cluster would: the same labels,
statuses, conditions, exit codes and reasons. Pods run as plain processes; `pods/kubelet.py` says what that leaves out.
"""
