"""What a compiled model costs: the report as a dictionary, in the terminal and as a page."""
