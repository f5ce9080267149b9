"""Leaderboards: ranked by the worker, kept as they were last ranked, and shown."""
