"""For the threads and visitors of one process: caches bounded in bytes, a fair lock, memory returned to the system."""
