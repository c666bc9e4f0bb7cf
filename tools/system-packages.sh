#!/usr/bin/env bash
# Install the Debian packages of the given commands when they are missing; say so when we may not.
#
#   system-packages.sh chromium bwrap      commands that the tests run
#   system-packages.sh --python python3    what `python3 -m venv` needs
set -euo pipefail

declare -A package=(
  [chromium]="chromium fonts-dejavu-core"
  [gnome-keyring-daemon]="gnome-keyring"
  [dbus-run-session]="dbus"
  [bwrap]="bubblewrap"
  [postgres]="postgresql"
)

# Debian keeps the server itself out of the path, a folder for each version.
installed() {
  command -v "$1" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null
}

missing=()
if [[ "${1:-}" == --python ]]; then
  "$2" -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
else
  for command in "$@"; do
    if ! installed "$command"; then
      read -ra names <<<"${package[$command]}"
      missing+=("${names[@]}")
    fi
  done
fi
if [[ ${#missing[@]} -eq 0 ]]; then
  exit 0
fi

install=(apt-get install --yes --no-install-recommends "${missing[@]}")
if ! command -v apt-get >/dev/null; then
  echo "Missing: ${missing[*]} (Debian's names). Install them, then run make again." >&2
  exit 1
elif [[ $EUID -eq 0 ]]; then
  as_root=(env DEBIAN_FRONTEND=noninteractive)
elif command -v sudo >/dev/null; then
  as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
else
  echo "Missing: ${missing[*]}. As root, run: ${install[*]}" >&2
  exit 1
fi
"${as_root[@]}" apt-get update --quiet
"${as_root[@]}" "${install[@]}"
