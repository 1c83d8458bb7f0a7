"""The parts of the page "Classic networks"."""
