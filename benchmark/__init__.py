"""The workshop: runs one submission under one comparison setup and writes one record.

A method's author reads `method.py`; how a trial runs stands in `trial.py`.
"""
