"""What runs inside a Job: fetch the inputs, run the task type's runner, publish, report, end with a telling exit code.

`python -m mediatask_job` holds no secret but a token bound to its pod and speaks to the API's internal routes only.
"""
