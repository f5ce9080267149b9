"""What is raised where the files of the portal cannot be reached."""


class StorageUnavailableError(OSError):
    """The service that keeps the files does not answer, or refuses: a fault of the platform, which may pass."""
