"""GET and WATCH: what is selected, in which version it is shown, and what changes after that."""
