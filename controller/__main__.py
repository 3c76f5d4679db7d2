"""`python -m controller` is `loa`."""

from controller.cli import main

raise SystemExit(main())
