"""What the visitors of one process share: caches bounded in bytes, a fair lock, memory handed back."""
