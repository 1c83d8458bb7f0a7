"""Modules with trained weights: building, loading, fitting, tracing and measuring them."""
