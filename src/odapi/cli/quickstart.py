"""`odapi quickstart`."""


def quickstart() -> None:
    """Not built yet."""
    raise NotImplementedError
