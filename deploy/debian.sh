#!/usr/bin/env bash
# Installs the Debian packages of the list given (default: debian-packages.txt beside this file) when root or sudo
# without a password allows; else says the one line to run and fails. Does nothing, at once, when all are there.
set -euo pipefail
list=${1:-$(dirname "$0")/debian-packages.txt}

missing=()
while read -r package proof; do
  case $package in '' | '#'*) continue ;; esac
  [ -e "$proof" ] || missing+=("$package")
done <"$list"
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
  else
    as_root=(false)
  fi
fi
if ! command -v apt-get >/dev/null || [ "${as_root[0]:-}" = false ]; then
  echo "The tests need programs that are not here, and I may not install them. Please run:" >&2
  echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

# Packages start their services on install. The tests start their own on loopback; an extra Prometheus on all
# interfaces is nothing a test run should leave behind. Where the machine has a policy already, it stands.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap '"${as_root[@]}" rm -f $policy' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
  "${as_root[@]}" chmod 755 $policy
fi

echo "debian: installing ${missing[*]}"
log=$(mktemp)
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 "$@" </dev/null >>"$log" 2>&1; }
if ! { apt update && apt install -y --no-install-recommends "${missing[@]}"; }; then
  tail -n 15 "$log" >&2
  echo "debian: apt-get failed; the whole talk is in $log" >&2
  exit 1
fi
rm -f "$log"
