"""What whoever writes a backup and whoever reads one must both know."""

FORMAT = "striate portal backup 1"
ABOUT, MANIFEST = "backup.json", "manifest.json"  # the first entry and the last
