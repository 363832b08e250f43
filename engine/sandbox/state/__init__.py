"""What a sandbox keeps on disk between one start and the next."""
