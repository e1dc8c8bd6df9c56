"""`python -m edge_ptf`: the command line."""

from edge_ptf.cli.main import run

run()
