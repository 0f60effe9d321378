"""What earlier runs left in the results of people who are no longer in the data set."""

from collections.abc import Iterator

from aacsfnet.cleaning import leftovers, of_subjects
from aacsfnet.config import Config
from aacsfnet.doctor.findings import Finding
from aacsfnet.errors import DataError
from aacsfnet.layout import Layout
from aacsfnet.space import in_bytes


def look_at_leftovers(config: Config) -> Iterator[Finding]:
    """Yield what is left of subjects who were removed: tables, models' folders and logs."""
    results = Layout(config).folder
    if not results.is_dir():
        return
    try:
        found = of_subjects(leftovers(config, results))
    except DataError as error:
        yield Finding("warning", "results", str(error))
        return
    if not found:
        return
    size = in_bytes(sum(each.bytes for each in found))
    paths = [f"{each.of}: {each.path}" for each in found]
    yield Finding(
        "warning",
        "results",
        "\n".join([f"{size} of people who are no longer in the data set", *paths]),
        f"aacsfnet clean {results} --yes removes it",
    )
