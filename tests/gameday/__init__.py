"""A game day in full: ten incidents in running jobs, with the limits of production.

`make game-day` plays it and writes the table of docs/game-day.md.
"""
