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
            near = difflib.get_close_matches(
                str(item["loc"][-1]), _keys_beside(item["loc"], root), n=1
            )
            hint = f"; did you mean {near[0]!r}?" if near else ""
            lines.append(f"{key}: unknown key{hint}")
        elif item["type"] == "value_error":
            lines.append(f"{key}: {item['ctx']['error']}" if key else str(item["ctx"]["error"]))
        else:
            expected = item["msg"].replace("Input should be", "expected")
            lines.append(f"{key} = {item['input']!r}: {expected}")
    return "; ".join(lines)


def _keys_beside(location: tuple[int | str, ...], block: type[BaseModel]) -> list[str]:
    for part in location[:-1]:
        field = block.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            return []
        if not issubclass(field.annotation, BaseModel):
            return []
        block = field.annotation
    return list(block.model_fields)
