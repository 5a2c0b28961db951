# Shared by the scripts of this folder: what they say, and how they install what is missing.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1

# Set by the caller's environment, or the usual place.
target=${CARGO_TARGET_DIR:-$root/target}

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs the Debian packages that are missing, and says so.
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  command -v apt-get >/dev/null || die "needs the Debian packages ${missing[*]}; install their like on this system"
  say "Installing Debian packages: ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# What building needs: a C compiler for SQLite and ring, PC/SC headers.
need_build_tools() {
  command -v cargo >/dev/null || die "needs a Rust toolchain (cargo) on the PATH; see https://rustup.rs"
  need_packages gcc libc6-dev pkg-config libpcsclite-dev
}

# What the virtual reader needs: the real pcscd and a driver whose reader is a socket.
need_virtual_reader() {
  need_packages pcscd vsmartcard-vpcd
}

# What a disk of a test's own needs where its tests do not run as root: the helper that mounts it.
need_mounts() {
  [ "$(id -u)" = 0 ] || need_packages fuse3
}
