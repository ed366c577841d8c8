"""Model files and programs become Relax modules in the normal form of docs/design.md."""
