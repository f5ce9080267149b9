"""From a file to a receipt: it is stored, checked in a child process, held against the limits, and linked into the chain."""
