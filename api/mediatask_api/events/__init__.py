"""Live events of tasks: what feeds the hub of this process, and the streams that it feeds."""
