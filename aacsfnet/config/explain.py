"""A validation error as one line."""

import difflib

from pydantic import BaseModel, ValidationError


def explain(error: ValidationError, root: type[BaseModel]) -> str:
    """Return one line for a validation error: key, value, expectation; '; ' between several.

    Args:
        error: of pydantic.
        root: the class that was validated; near misses of an unknown key are looked for in it.
    """
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            keys = _keys_near(item["loc"], root)
            near = difflib.get_close_matches(str(item["loc"][-1]), keys, n=1)
            hint = f"; did you mean {keys[near[0]]!r}?" if near else ""
            lines.append(f"{key}: unknown key{hint}")
        elif item["type"] == "value_error":
            lines.append(f"{key}: {item['ctx']['error']}" if key else str(item["ctx"]["error"]))
        elif item["type"] == "tuple_type":
            lines.append(f"{key} = {item['input']!r}: expected a list, such as [{item['input']}]")
        else:
            expected = item["msg"].replace("Input should be", "expected")
            lines.append(f"{key} = {item['input']!r}: {expected}")
    return "; ".join(lines)


def _keys_near(location: tuple[int | str, ...], root: type[BaseModel]) -> dict[str, str]:
    """Return the keys beside a place as they are, and those of blocks beside it by their path."""
    block, path = root, ""
    for part in location[:-1]:
        blocks = _blocks(block)
        if part not in blocks:
            return {}
        block, path = blocks[str(part)], f"{path}{part}."
    below = {
        key: f"{path}{name}.{key}"
        for name, nested in reversed(_blocks(block).items())  # of several the first is meant
        for key in nested.model_fields
    }
    return below | {key: key for key in block.model_fields}


def _blocks(block: type[BaseModel]) -> dict[str, type[BaseModel]]:
    return {
        name: field.annotation
        for name, field in block.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
