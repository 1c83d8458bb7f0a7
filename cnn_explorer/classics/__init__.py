"""The networks that came after the lecture's, as torchvision builds them: their graphs, and what they cost."""
