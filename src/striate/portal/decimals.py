"""Numbers with a fixed count of decimals, as the reader's language writes them."""

from django.utils.formats import get_format


def decimals(value: float, count: int) -> str:
    """Round and write a number; unlike Django's ``number_format``, which cuts off, and fast enough for every cell of a board."""
    text = f"{value:.{count}f}"
    point = get_format("DECIMAL_SEPARATOR")
    return text if point == "." else text.replace(".", point)
