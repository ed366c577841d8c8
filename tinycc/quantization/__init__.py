"""From float models to int8 models of the same format, by the libraries of each format."""
