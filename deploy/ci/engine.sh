#!/usr/bin/env bash
# engine.sh COMMAND...: runs COMMAND with a container engine at hand, then leaves the machine as it was.
#
# Where an engine already answers, it is used as it is and pulls what it needs. Else Debian's own is started on a
# socket of ours, with images made here from Debian packages under the names the tests use, since a build machine
# may reach no image registry. What that proves: our fixtures, files, health checks and restarts. What it does not:
# the published images themselves. If no engine can be had this fails, loudly: it never passes for lack of one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cannot() { echo "engine: THE TESTS ABOUT CONTAINERS DID NOT RUN: $*" >&2; exit 1; }
[ $# -gt 0 ] || { echo "usage: engine.sh COMMAND..." >&2; exit 2; }

# No helper container that outlives us, and no address but loopback.
export TESTCONTAINERS_RYUK_DISABLED=true TESTCONTAINERS_CONNECTION_MODE=docker_host TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1

if command -v docker >/dev/null && timeout 10 docker info >/dev/null 2>&1; then
  echo "engine: using the one that answers here"
  exec "$@"
fi
[ "$(id -u)" -eq 0 ] || cannot "no engine answers, and only root can start one"
"$here/../debian.sh" "$here/debian-packages.txt" || cannot "its packages could not be installed"

room=/dev/shm
[ "$(df --output=avail -k $room | tail -1)" -gt 4000000 ] || room=/var/tmp
home=$(mktemp -d $room/loa-engine.XXXXXX)
export DOCKER_HOST=unix://$home/docker.sock
forward=$(cat /proc/sys/net/ipv4/ip_forward)
had_bridge=$([ -e /sys/class/net/docker0 ] && echo yes || echo no)
for table in filter nat; do iptables -w -t $table -L -n >/dev/null; iptables-save -t $table; done >"$home/iptables"

put_back() {
  local left pid
  trap - EXIT INT TERM
  left=$(timeout 10 /usr/bin/docker ps -q 2>/dev/null || true)
  # shellcheck disable=SC2086
  [ -z "$left" ] || timeout 30 /usr/bin/docker rm -f $left >/dev/null 2>&1 || true
  pid=$(cat "$home/docker.pid" 2>/dev/null || true)
  if [ -n "$pid" ]; then
    kill "$pid" 2>/dev/null || true
    timeout 20 tail --pid="$pid" -f /dev/null || kill -9 "$pid" 2>/dev/null || true
  fi
  iptables-restore -w <"$home/iptables" || echo "engine: the iptables rules of before are in $home/iptables" >&2
  echo "$forward" >/proc/sys/net/ipv4/ip_forward
  [ "$had_bridge" = yes ] || ip link del docker0 2>/dev/null || true
  grep -o " $home/[^ ]*" /proc/self/mounts | sort -r | xargs -r umount -l || true
  rm -rf "$home"
}
trap put_back EXIT
trap 'exit 130' INT TERM

begun=$SECONDS
setsid /usr/sbin/dockerd --host "$DOCKER_HOST" --data-root "$home/data" --exec-root "$home/exec" \
  --pidfile "$home/docker.pid" --mtu 1400 >"$home/log" 2>&1 </dev/null &
daemon=$!
for _ in $(seq 150); do
  timeout 5 /usr/bin/docker info >/dev/null 2>&1 && break
  kill -0 $daemon 2>/dev/null || break
  sleep 0.2
done
timeout 5 /usr/bin/docker info >/dev/null 2>&1 || { tail -n 15 "$home/log" >&2; cannot "dockerd did not start"; }

base=debian:bookworm-slim
TMPDIR=$home timeout 300 mmdebstrap --quiet --variant=apt --aptopt='Acquire::Languages "none"' \
  --dpkgopt=force-unsafe-io bookworm - 2>"$home/base.log" |
  /usr/bin/docker import --change 'CMD ["bash"]' - $base >/dev/null ||
  { tail -n 15 "$home/base.log" >&2; cannot "the base image could not be made"; }

build() { timeout 300 /usr/bin/docker build -q -t "$1" --build-arg BASE=$base "$here/images/$2" >"$home/build-$2.log" 2>&1; }
# One after the other in two rows: more at once only wait for each other on two cores.
row() {
  local name
  for name in "$@"; do
    build "${name%%=*}" "${name#*=}" || { tail -n 15 "$home/build-${name#*=}.log" >&2; return 1; }
  done
}
row postgres:15=postgres prom/alertmanager:v0.28.1=alertmanager & first=$!
row eclipse-mosquitto:2=mosquitto nginx:1.28=nginx prom/prometheus:v3.5.0=prometheus & second=$!
wait $first || cannot "the images of PostgreSQL and Alertmanager could not be made"
wait $second || cannot "the images of Mosquitto, nginx and Prometheus could not be made"
echo "engine: up, with base image and five stand-ins of Debian's programs, after $((SECONDS - begun)) s"

"$@"
