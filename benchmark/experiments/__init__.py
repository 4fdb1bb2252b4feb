"""Many trials: which belong to a submission, a grid or a crossing, and the processes that run them."""
