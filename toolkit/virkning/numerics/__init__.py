"""Arrays in, frozen dataclasses of arrays out: no pandas, no files, no words for readers."""
