"""The REST interface as the clients see it: calls, answers, events and failures. No I/O."""
