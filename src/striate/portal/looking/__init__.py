"""Looking at the data: each hosted recording is prepared once by a process beside the worker, and drawn in the browser."""
