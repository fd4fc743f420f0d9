"""Faults, made and counted: the same scenarios at CI's size (tests) and at full size (make chaos).

Nothing here is in the wheel: a job that kills itself is the command line, wrapped (`job.py`).
"""
