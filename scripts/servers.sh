#!/usr/bin/env bash
# System packages that some tests and the benchmark use. Without them those tests skip and say why
# (or fail, where DVTOOL_REQUIRE_SERVERS=1). SeaweedFS is not here: it comes with `make test`.
set -euo pipefail

packages=(xfsprogs nginx-light libnginx-mod-http-dav-ext)

# Azurite is a program for Node.js, and `make test` installs it with npm. Any Node.js will do.
if ! command -v npm >/dev/null; then
    packages+=(nodejs npm)
fi

missing=()
for package in "${packages[@]}"; do
    if ! dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
        missing+=("$package")
    fi
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "already installed: ${packages[*]}"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "cannot install ${missing[*]}: this script knows Debian's apt-get only" >&2
    exit 1
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
    sudo=(sudo)
fi
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
