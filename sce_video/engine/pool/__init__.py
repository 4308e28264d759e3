"""Worker processes that may die or hang, and the way of their results through shared memory."""
