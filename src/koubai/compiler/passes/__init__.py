"""Array program in, better array program out: one rewriting a file."""
