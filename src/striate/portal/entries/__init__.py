"""Entries: what a team tells about the submission that counts for it, and what is shown of it."""
