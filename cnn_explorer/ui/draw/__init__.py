"""The first page: controls of the network and the live view."""
