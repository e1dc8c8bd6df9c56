"""What people read: the tables on the terminal."""
