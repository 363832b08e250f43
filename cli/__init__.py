"""The command line: one file a command, thin; everything that decides stands in `engine`."""
