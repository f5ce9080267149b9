"""What organisers do and what they see: audit log, announcements, scoring again, copies of everything."""
