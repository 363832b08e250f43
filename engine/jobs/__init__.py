"""Jobs: backups into the vault, and restores and downloads out of it, each operation under its data key."""
