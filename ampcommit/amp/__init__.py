"""What Amp knows of threads: its API, its executable, and what is kept of that here."""
