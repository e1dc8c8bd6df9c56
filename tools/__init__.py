"""Programs for the project's own work. They are not part of the installed package."""
