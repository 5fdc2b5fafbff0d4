"""Every route of the API tried by every kind of caller: what there is to call, who calls, and what ought to happen."""
