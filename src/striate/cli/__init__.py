"""The command line: one module a group of commands; it parses and prints, and decides nothing."""

from striate.cli.app import app, main

__all__ = ["app", "main"]
