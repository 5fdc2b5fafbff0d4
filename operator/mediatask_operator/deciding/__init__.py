"""What follows from it: from one observation to one plan. Pure: no I/O, no clock, no waiting."""
