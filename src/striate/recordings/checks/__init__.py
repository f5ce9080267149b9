"""The parts of a check: a scan that reads every trial once, and the rules that look at what it saw."""
