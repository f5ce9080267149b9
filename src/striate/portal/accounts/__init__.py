"""Accounts, teams and tokens: who takes part."""
