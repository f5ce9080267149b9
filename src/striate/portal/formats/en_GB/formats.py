"""British English."""

DATETIME_FORMAT = "j F Y, H:i"
