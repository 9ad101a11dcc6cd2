"""``python -m apps.cli``: the same as ``mesmerize``, for where that is not in the path."""

from apps.cli.main import main

if __name__ == "__main__":
    main()
