"""Components for striate from another package."""
