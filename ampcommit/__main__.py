"""`python -m ampcommit`."""

from ampcommit.cli import main

main()
