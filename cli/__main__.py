"""`python -m elusive_cli` is `elusive`, with the Python that one names."""

from .app import main

main()
