"""How `toolkit.prune` decides what goes: magnitude, importance, and the account of zeros."""
