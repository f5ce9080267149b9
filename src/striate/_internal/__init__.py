"""Private helpers shared by all packages: files and paths, safe parsing, validation of settings, progress bars."""
