"""The pipeline's own Delta tables: how they are made, read and written. No sending here."""
