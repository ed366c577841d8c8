"""Choosing what runs row by row: candidates for stages, what each needs, and the best sequence of them."""
