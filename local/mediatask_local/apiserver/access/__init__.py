"""Who calls: credentials, tokens and what each may do."""
