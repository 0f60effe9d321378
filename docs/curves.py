"""Draw curves.png: error against training people, a line for each network.

    python docs/curves.py FIGURES

FIGURES is the file that `benchmarks/pays.py` writes of `benchmarks/curves.yaml`.
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt

#: What is drawn of each arm: its name in the figures and how that is shown.
MEASURES = {"mae": "MAE", "mae_severe": "MAE at PSPI ≥ 8"}
WITH = "-pictures"


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path)
    found = json.loads(parser.parse_args().figures.read_text())["result"]["conditions"]
    people = [int(name.rpartition("-")[2]) for name in found]
    networks = [name for name in next(iter(found.values()))["arms"] if not name.endswith(WITH)]
    figure, axes = plt.subplots(2, 2, figsize=(8, 6.4), dpi=130, sharex=True, sharey="row")
    for row, (measure, shown) in zip(axes, MEASURES.items(), strict=True):
        for plot, ending in zip(row, ("", WITH), strict=True):
            for place, network in enumerate(networks):
                entries = [each["arms"][network + ending][measure] for each in found.values()]
                # Apart by a little, or the intervals would hide each other.
                where = [each * 1.025 ** (place - len(networks) / 2) for each in people]
                values = [each["value"] for each in entries]
                below = [each["value"] - each["low"] for each in entries]
                above = [each["high"] - each["value"] for each in entries]
                style = {"marker": "o", "markersize": 4, "capsize": 2, "elinewidth": 0.8}
                plot.errorbar(where, values, yerr=[below, above], label=network, **style)
            plot.set_xscale("log")
            plot.set_xticks(people, [str(each) for each in people])
            plot.minorticks_off()
            plot.grid(alpha=0.3)
        row[0].set_ylabel(shown)
    for plot, title in zip(axes[0], ("real pictures", "and generated ones"), strict=True):
        plot.set_title(title)
    for plot in axes[-1]:
        plot.set_xlabel("training people")
    lines = axes[0][0].get_legend_handles_labels()
    figure.legend(*lines, loc="lower center", ncol=len(networks), frameon=False, fontsize=8)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(Path(__file__).with_name("curves.png"))


if __name__ == "__main__":
    main()
