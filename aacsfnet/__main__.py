"""Lets `python -m aacsfnet` stand for the `aacsfnet` command."""

from aacsfnet.cli import main

main()
