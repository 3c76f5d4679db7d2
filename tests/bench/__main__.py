"""`python -m tests.bench NAME ...`; without a name, what there is. The last line of every bench is one JSON object."""

from __future__ import annotations

import sys

from tests.bench import agree, audio, dispatch, emergency, fuzz, heard, ingest, live, newcomer, pages, reach, scrape
from tests.bench import compile as compiling

BENCHES = {
    "agree": agree,
    "audio": audio,
    "compile": compiling,
    "dispatch": dispatch,
    "emergency": emergency,
    "fuzz": fuzz,
    "heard": heard,
    "ingest": ingest,
    "live": live,
    "newcomer": newcomer,
    "pages": pages,
    "reach": reach,
    "scrape": scrape,
}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in BENCHES:
        for name, module in BENCHES.items():
            print(f"{name:10} {(module.__doc__ or '').splitlines()[0]}")
        return 0 if not arguments else 2
    return BENCHES[arguments[0]].main(arguments[1:])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
