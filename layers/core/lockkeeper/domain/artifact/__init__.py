"""What is in a model artifact: read as a stream, by content and not by name, and nothing of it is ever run.

`scan.py` walks an archive and its members; `tar.py`, `zips.py` and `compressed.py` read containers; `pickles.py` follows
pickles, `arrays.py` the raw numbers between their opcodes; `allowed.py` says which globals they may name.
"""
