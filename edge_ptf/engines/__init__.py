"""Engines: what executes a graph. One package an engine."""
