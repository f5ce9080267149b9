"""Data hosting: the competition's public files, the terms that must be accepted, downloads, the manifest for ``striate fetch``."""
