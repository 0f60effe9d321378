"""What a subject is called on a page that others may see."""

import re
from collections.abc import Iterable


class Names:
    """Subjects by number, S1, S2, … in the order of their names, unless names may be shown.

    A name can hide in other texts too: a reason quotes a path, a sequence is called after its
    subject. `text` takes names and paths out of those.
    """

    def __init__(self, subjects: Iterable[str], shown: bool) -> None:
        self._shown = shown
        ordered = sorted(subjects)
        self._numbers = {name: f"S{number}" for number, name in enumerate(ordered, 1)}
        # Longest first, so that "anna-2" is not taken for "anna"; a bare number is no telling name
        # inside a sentence, where numbers are measurements.
        telling = [re.escape(name) for name in ordered if not name.isdecimal()]
        telling.sort(key=len, reverse=True)
        words = "|".join(telling)
        self._pattern = re.compile(rf"(?<!\w)(?:{words})(?!\w)") if telling else None

    def subject(self, name: str) -> str:
        """Return what the subject is called on the page."""
        return name if self._shown else self._numbers.get(name, "S?")

    def text(self, text: str) -> str:
        """Return a sentence without subjects' names and without paths.

        >>> Names(["anna", "ben"], shown=False).text("anna: cannot read /data/anna/1.png")
        'S1: cannot read …'
        """
        if self._shown:
            return text
        text = re.sub(r"\S*[/\\]\S*", "…", text)
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._numbers[found.group()], text)

    def kind(self, text: str) -> str:
        """Return a sentence with its numbers taken out, so that like reasons count as one.

        >>> Names([], shown=True).kind("landmark error 0.31 is above 0.08")
        'landmark error # is above #'
        """
        return re.sub(r"(?<![A-Za-z])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", "#", self.text(text))
