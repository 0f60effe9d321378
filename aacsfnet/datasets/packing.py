"""Which subjects of few frames share a shard, so that no process starts for a handful of pictures.

Names decide: subjects are parted by the bits of a hash of their names, again and again, until no
part has too many frames. So the parts follow from the set of subjects alone, whatever was there
before, and a subject that comes or goes bears only on the part that it falls into: that part may be
split in two, or go together with the one beside it.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping

#: What a shared shard is called, without the number that ends every shard's name.
SHARED = re.compile(r"shared(-[01]+)?")


def shared_shards(frames: Mapping[str, int], most: int) -> dict[str, str]:
    """Return the name of the shard, without its number, of each subject that shares one.

    Subjects of more than half of `most` frames stay alone, and so does who is left alone.

    Args:
        frames: how many each subject has.
        most: frames of a shared shard.

    >>> shared_shards({"a": 2, "b": 2, "c": 2, "d": 5}, 8)
    {'a': 'shared', 'b': 'shared', 'c': 'shared'}
    >>> shared_shards({"a": 2, "b": 2, "c": 2, "d": 5}, 4)
    {'b': 'shared-0', 'c': 'shared-0'}
    """
    bits = {name: _bits(name) for name, count in frames.items() if 2 * count <= most}
    return {
        name: "-".join(filter(None, ["shared", bits[name][:depth]]))
        for depth, part in _parts(sorted(bits), 0, bits, frames, most)
        if len(part) > 1
        for name in part
    }


def _bits(name: str) -> str:
    return f"{int(hashlib.sha256(name.encode()).hexdigest(), 16):0256b}"


def _parts(
    names: list[str], depth: int, bits: Mapping[str, str], frames: Mapping[str, int], most: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield parts of those who agree in their first bits, each with how many bits those are."""
    if sum(frames[name] for name in names) <= most:
        yield depth, names
        return
    for bit in "01":
        part = [name for name in names if bits[name][depth] == bit]
        yield from _parts(part, depth + 1, bits, frames, most)
