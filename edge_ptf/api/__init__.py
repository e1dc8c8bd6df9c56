"""The Python API: a function for each command, with the command's options as keyword arguments.

The commands call these modules too. `edge_ptf` offers the functions under their public names. This package imports
nothing by itself: `edge_ptf.Runner` and `edge_ptf.open_package` work without torch.
"""
