"""Programs that serve the project itself. They are not part of the installed package."""
