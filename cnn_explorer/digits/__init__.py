"""Handwritten digits: where they come from, what is drawn, and how a drawing becomes a 28×28 image."""
