"""From a receipt to a score: jobs are leased, done, and their outcomes recorded once."""
