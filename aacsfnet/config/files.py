"""The files that follow from the configuration's classes: `config.yaml` and its JSON schema.

`make schemas` writes both; a test fails when either lags behind the classes.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aacsfnet.config import Config

HEADER = """\
# Every setting, with its default. The workflow runs as it stands, on the built-in demo data.
# For your own study write a file of the keys that differ and name it with `--configfile`;
# it is merged into this one key by key (an experiment set to null is removed).
# Threads, memory and devices belong to profiles, not here (see docs/how-to/cluster.md).
"""


def limits(field: FieldInfo) -> str:
    """Return the range of a key in words ("64 to 2048, multiple of 8"); empty if it has none."""
    ways = {"gt": "above {}", "lt": "below {}", "multiple_of": "multiple of {}"}
    bounds = (pair for each in field.metadata for pair in asdict(each).items())
    said = {key: ways.get(key, "{}").format(value) for key, value in bounds}
    low, high = said.get("ge") or said.get("gt"), said.get("le") or said.get("lt")
    if low and high:
        span = f"{low} to {high}"
    elif low:
        span = low if low.startswith("above") else f"at least {low}"
    else:
        span = f"at most {high}" if high else ""
    # Of a choice that may be null too, the choices stand one level deeper.
    parts = [field.annotation, *get_args(field.annotation)]
    words = [word for part in parts for word in get_args(part) if isinstance(word, str)]
    choices = " | ".join(words) if len(words) > 1 else ""
    return ", ".join(part for part in (choices, span, said.get("multiple_of")) if part)


def value_text(value: Any) -> str:
    """Return a default as YAML writes it on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    return text.removesuffix("...\n").strip()


def _lines(block: type[BaseModel], values: dict[str, Any], indent: str) -> list[str]:
    lines = []
    for name, field in block.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            title = (kind.__doc__ or "").splitlines()[0].rstrip(".")
            lines += ["" if not indent else None, f"{indent}{name}: # {title}"]
            lines += _lines(kind, values[name], indent + "  ")
            continue
        if name == "experiments":
            lines += ["", f"{name}: # {field.description}"]
            lines += [f"  {key}: {value_text(value)}" for key, value in values[name].items()]
            continue
        span = limits(field)
        comment = f"{field.description}; {span}" if span else f"{field.description}"
        lines.append(f"{indent}{name}: {value_text(values[name])} # {comment}")
    return [line for line in lines if line is not None]


def config_yaml() -> str:
    """Return the text of `config.yaml`."""
    values = Config().model_dump(mode="json")
    return HEADER + "\n" + "\n".join(_lines(Config, values, "")) + "\n"


def schema_json() -> str:
    """Return the text of the JSON schema that editors use to check `config.yaml`."""
    return json.dumps(Config.model_json_schema(), indent=2) + "\n"


FILES = {
    Path("config.yaml"): config_yaml,
    Path("workflow/schemas/config.schema.json"): schema_json,
}


def main() -> None:
    """Write the files below the current folder."""
    for path, text in FILES.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
