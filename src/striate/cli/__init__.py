"""The command line: one module for each group of commands. It parses arguments and prints results; all work is done elsewhere."""

from striate.cli.app import app, main

__all__ = ["app", "main"]
