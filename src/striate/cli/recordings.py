"""Commands about recordings: ``info``, ``check``, ``convert``."""
