"""The command line: arguments to calls, results to text, errors to exit statuses.

Modules here import nothing but click until a command really runs.
"""
