"""The command line: one thin command a stage, plus `compress`. It translates, and prints; it decides nothing."""
