#!/usr/bin/env bash
# System packages that some tests and the benchmark use. Without them those tests skip and say why
# (or fail, where DVTOOL_REQUIRE_SERVERS=1). SeaweedFS is not here: it comes with `make test`.
set -euo pipefail

packages=(xfsprogs btrfs-progs openssh-server openssh-client samba nginx-light libnginx-mod-http-dav-ext
    libjersey1-core-java libjersey1-json-java libjersey1-server-java libjersey1-servlet-java)

# Azurite is a program for Node.js, and `make test` installs it with npm. Any Node.js will do.
if ! command -v npm >/dev/null; then
    packages+=(nodejs npm)
fi

# Hadoop, whose jars `make test` fetches. Any Java from 11 on will do.
if ! command -v java >/dev/null; then
    packages+=(default-jre-headless)
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
