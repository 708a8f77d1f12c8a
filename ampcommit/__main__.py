"""The command `ampcommit`, and `python -m ampcommit`."""

import gc
import os
import sys

from ampcommit.streams import heard_or_not


def start() -> None:
    """Run the command line, and end the process."""
    # What modules make while they load is no garbage; looking for it costs a short command a tenth of its time.
    gc.set_threshold(100_000, 50, 50)
    from ampcommit.cli import main

    try:
        main()
    except SystemExit as ended:
        with heard_or_not():
            sys.stdout.flush()
        # Taking all these modules down piece by piece would cost another tenth, for a process that is done.
        os._exit(int(ended.code or 0))


if __name__ == "__main__":
    start()
