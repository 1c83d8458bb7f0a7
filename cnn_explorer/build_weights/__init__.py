"""Offline: `python -m cnn_explorer.build_weights` makes the trained weights in `assets/`."""
