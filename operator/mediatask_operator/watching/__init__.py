"""What is known: watches and lists fill the cache; the observer puts together what is known of one task."""
