"""Parts of quality.py: sets, arms, peers, results, and what they show."""
