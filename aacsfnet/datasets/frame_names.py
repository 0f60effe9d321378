"""The frames and pictures that the rows of a user's table have named so far."""

from aacsfnet.datasets import fields
from aacsfnet.datasets.claims import Claims
from aacsfnet.tables import Fault


class FrameNames:
    """Gives each row an identity of its own, and tells rows that name the same once more.

    Args:
        claims: what the table says of whom.
    """

    def __init__(self, claims: Claims) -> None:
        self._claims, self._sheet = claims, claims.sheet
        self._frames: dict[str, int] = {}
        self._copies: dict[str, int] = {}  # of a name: tried from here, or many would take for ever
        self._pictures: dict[str, int] = {}

    def take(self, wanted: str, picture: str, i: int) -> tuple[str, Fault | None]:
        """Return a row's unique `frame_id`; and a fault if frame or picture were named before.

        Of frames without a number and with the same file name, the later are no duplicates
        unless the picture is the same: they get a name of their own.

        Args:
            wanted: the `frame_id` by what the row says.
            picture: what two rows share that name the same pixels; "" if there is no file.
            i: row of the table.

        Raises:
            DataError: the same picture has other labels or people.
        """
        unique, first = wanted, self._frames.get(wanted)
        copy = self._copies.get(wanted, 1)
        while unique in self._frames:
            copy += 1
            unique = f"{wanted}~{copy}"
        if copy > 1:
            self._copies[wanted] = copy
        self._frames[unique] = i
        if picture and (owner := self._pictures.setdefault(picture, i)) != i:
            self._claims.check_pair(owner, i)
            return unique, Fault("duplicate", f"the same picture as {self._sheet.at(owner)}")
        if first is not None and (not picture or fields.frame_of(self._sheet, i)):
            return unique, Fault("duplicate", f"the same frame as {self._sheet.at(first)}")
        return unique, None
