"""Rules of `striate.check` about the data: one scan of all trials, and one module per group of rules."""
