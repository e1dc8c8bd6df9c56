"""Output for people: tables on the terminal, and reports as HTML, Markdown and JUnit XML."""
