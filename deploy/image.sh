#!/usr/bin/env bash
# image.sh [TAG [DOCKER-BUILD-OPTION...]]: the container image, from this checkout after `make setup`.
# Another base, for example: deploy/image.sh loa:0.1 --build-arg BASE=debian:trixie-slim
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
tag=${1:-loa:local}
shift || true
python=$root/.venv/bin/python
if [ ! -x "$python" ] || [ ! -e "$root/controller/web/static/dist/app.css" ]; then
  echo "image: run make setup first" >&2
  exit 1
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
"$python" "$root/deploy/runtime_lock.py" "$root/requirements.lock" >"$context/runtime.lock"
"$python" -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -w "$context" "$root"
mkdir "$context/deploy"
cp "$root"/deploy/*.py "$context/deploy/"
cp "$root/deploy/Dockerfile" "$context/"
docker build -t "$tag" "$@" "$context"
