"""Small convolutions and poolings for the number-by-number pages: scenes, examples, their arithmetic and code."""
