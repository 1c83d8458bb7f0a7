"""Networks as data: layers, architecture strings, shapes, costs. Importing it loads no torch."""
