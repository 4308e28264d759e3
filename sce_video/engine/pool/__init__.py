"""Worker processes that may crash or hang, and shared-memory transport of their results."""
