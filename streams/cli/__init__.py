"""The command line: the one place where settings are read, workers composed and errors turned into exit codes."""
