"""The number-by-number pages."""
