"""The command `ampcommit`, and `python -m ampcommit`."""

import gc
import os
import signal
import sys

from ampcommit.cli.early import early
from ampcommit.render.streams import heard_or_not


def start() -> None:
    """Run the command line, and end the process."""
    # What modules make while they load is no garbage; looking for it costs a short command a tenth of its time.
    gc.set_threshold(100_000, 50, 50)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job that is cancelled leaves nothing half done
    status = 130
    try:
        with early(sys.argv[1:]) as begun:
            from ampcommit.cli.app import main

            main(begun=begun)
    except SystemExit as ended:
        with heard_or_not():
            sys.stdout.flush()
        status = int(ended.code or 0)
    except KeyboardInterrupt:
        pass  # before the command line could look after it
    # Taking all these modules down piece by piece would cost another tenth, for a process that is done.
    os._exit(status)


if __name__ == "__main__":
    start()
