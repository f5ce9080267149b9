"""How fast striate works, against the same work written plainly; see docs/benchmarks.md."""
