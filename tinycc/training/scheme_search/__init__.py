"""What to train within a memory budget: what parts gain, what they need, and the search among them."""
