"""Throws damaged projects at the program: whatever it reads, it must end in order, soon, and in bounds."""
