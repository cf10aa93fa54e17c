"""The answer in words: what does it cost us, what comes back, and when is it earned back?"""

from __future__ import annotations

from dataclasses import dataclass

from .figures import money, of_hundred


@dataclass(frozen=True)
class Answer:
    """What is said of one party, or of society.

    Attributes
    ----------
    label : str
        Who.
    currency : str
        Of the amounts.
    net, lower, upper : float
        Net present value and its interval.
    level : float
        Of the interval, 0 to 1.
    sure : float
        Share of draws in which it is above zero.
    participants : float
        Over whom the net present value is divided.
    """

    label: str
    currency: str
    net: float
    lower: float
    upper: float
    level: float
    sure: float
    participants: float

    @property
    def _middle(self) -> str:
        per = money(self.net / self.participants, self.currency)
        ends = f"{money(self.lower)} to {money(self.upper)}"
        return f"{per} per participant; {self.level:.0%} interval of the whole {ends}"

    @property
    def _who(self) -> str:
        return title(self.label)

    @property
    def untouched(self) -> str:
        """The sentence about somebody whom nothing concerns."""
        return f"{self._who}: nothing is paid and nothing is gained."

    def welfare(self) -> str:
        """Return the sentence of the welfare view."""
        if not (self.net or self.lower or self.upper):
            return self.untouched
        many = self.label.endswith("s")
        verb = "gain" if self.net >= 0 else "lose"
        return (
            f"{self._who} {verb}{'' if many else 's'} {money(abs(self.net), self.currency)} in all ({self._middle}); "
            f"above zero in {of_hundred(self.sure)} of 100 draws."
        )

    def budget(self, costs: float, gains: float, year: int | None, years: tuple[str, str]) -> str:
        """Return the sentence of the budget view.

        Parameters
        ----------
        costs, gains : float
            Present values; costs count as negative.
        year : int or None
            When it is earned back; 0 when it never costs more than it brings; None when not within the horizon.
        years : tuple of str
            That year and the last one, as they are read.
        """
        if not (costs or gains or self.lower or self.upper):
            return self.untouched
        if year is None:
            earned = f"It is not earned back by year {years[1]}"
        else:
            earned = f"It is earned back in year {years[0]}" if year else "It never costs more than it has brought"
        more = " more" if costs else ""
        back = (
            f"gets {money(gains, self.currency)} back" if gains >= 0 else f"loses {money(-gains, self.currency)}{more}"
        )
        spent = f"pays {money(-costs, self.currency)} for the programme and " if costs else ""
        return (
            f"{self._who} {spent}{back} by year {years[1]}: {money(self.net, self.currency)} net ({self._middle}). "
            f"{earned}; it pays in {of_hundred(self.sure)} of 100 draws."
        )


def title(label: str) -> str:
    """Return a label at the beginning of a sentence.

    >>> title("the municipality")
    'The municipality'
    """
    return label[:1].upper() + label[1:]
