"""Intervals of a column drawn side by side: a small picture in each row, all on one scale."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe

_WIDTH, _HEIGHT, _EDGE = 120, 14, 4


@dataclass(frozen=True)
class Scale:
    """From values to places in the pictures.

    Attributes
    ----------
    low, high
        What the pictures reach from and to.
    """

    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Scale":
        """The scale on which all values find a place."""
        known = [value for value in values if value is not None]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        return cls(low, high if high > low else low + 1e-6)

    def place(self, value: float) -> float:
        """Where a value lies, in pixels; outside of the scale, at its edge."""
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return round(_EDGE + share * (_WIDTH - 2 * _EDGE), 1)

    def bar(self, value: float | None, low: float | None, high: float | None) -> SafeString:
        """Draw one row; the numbers beside it say the same, so that it is hidden from those who listen."""
        if value is None:
            return mark_safe("")
        middle = _HEIGHT // 2
        line = (
            ""
            if low is None or high is None
            else f'<line x1="{self.place(low)}" x2="{self.place(high)}" y1="{middle}" y2="{middle}"/>'
        )
        return mark_safe(
            f'<svg class="interval" width="{_WIDTH}" height="{_HEIGHT}" aria-hidden="true" focusable="false">{line}'
            f'<circle cx="{self.place(value)}" cy="{middle}" r="3"/></svg>'
        )
