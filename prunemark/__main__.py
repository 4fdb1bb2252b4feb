"""`python -m prunemark`."""

from prunemark.cli.program import main

if __name__ == "__main__":
    main()
