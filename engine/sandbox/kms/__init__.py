"""AWS KMS as the sandbox plays it: strict where moto is not, and lean, since everything is tested on it."""
