"""`mediatask demo`: the platform's four example tasks, from REST call to finished media and signed webhooks.

Needs the `job` and `local` extras; the rest of the client needs neither.
"""
