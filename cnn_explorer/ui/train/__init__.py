"""The page "Train"."""
