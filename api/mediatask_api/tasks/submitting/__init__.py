"""From a request to what is submitted: without I/O."""
