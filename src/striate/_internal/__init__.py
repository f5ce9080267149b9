"""Helpers that every package may use: files and paths, limits on what is parsed, settings, progress bars. Not public."""
