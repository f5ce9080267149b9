"""Benchmarks: the names of their tiers, tracks, protocols and sessions."""
