"""Which version of the preparation this is, and the file that says that it is done."""

# Rises whenever something is prepared otherwise; what was prepared before is prepared anew.
VERSION = 2
SUMMARY = "summary.json"
