"""The files of the output folder, written whole and read back checked: JSON documents and CSV tables."""
