"""The published experiments, one a file; run by scripts/paper.py."""
