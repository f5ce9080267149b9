"""Fuzzing of every reader: whatever bytes it is given, it returns or raises one short sentence."""
