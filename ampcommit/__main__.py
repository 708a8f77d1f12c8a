"""The command `ampcommit`, and `python -m ampcommit`."""

import gc


def start() -> None:
    """Run the command line."""
    # What modules make while they load is no garbage; looking for it costs a short command a tenth of its time.
    gc.set_threshold(100_000, 50, 50)
    from ampcommit.cli import main

    main()


if __name__ == "__main__":
    start()
