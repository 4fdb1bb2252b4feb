"""`python -m prunemark`."""

from prunemark.cli.app import main

if __name__ == "__main__":
    main()
