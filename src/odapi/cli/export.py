"""`odapi export`."""


def export() -> None:
    """Not built yet."""
    raise NotImplementedError
