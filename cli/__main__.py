"""`python -m cli`: the command line, for an environment whose scripts are not on PATH."""

from cli.main import main

if __name__ == "__main__":
    main()
