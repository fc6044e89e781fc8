#!/usr/bin/env bash
# rootfs.sh TREE ROOT: makes the file system of the image: the program from a tree of tree.sh, and what it needs from
# Debian. Debian's packages are downloaded: somebody may have changed this machine's files, for example its certificates.
set -euo pipefail
tree=$(realpath "$1") root=$(realpath -m "$2")
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The licence of libgcc-s1 is in a package with the version of gcc in its name.
packages=(libc6 libgcc-s1 "$(apt-cache depends libgcc-s1 | grep -o 'gcc-.*-base')" ca-certificates tzdata base-files)
mkdir "$work/packages" "$work/debian"
(
    cd "$work/packages"
    # apt would drop its rights, and could not write to the folder.
    download() { apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}"; }
    # Old lists name packages that Debian has replaced since.
    download || { apt-get update -qq && download; }
    for package in *.deb; do dpkg-deb --extract "$package" "$work/debian"; done
)

put() { install -D -m "$1" "$2" "$root/$3"; }

program=usr/bin/pagerduty-dora
put 755 "$tree/$program" $program
for text in LICENSE sbom.cdx.json third-party-licences.txt; do
    put 644 "$tree/usr/share/doc/pagerduty-dora/$text" "usr/share/doc/pagerduty-dora/$text"
done
"$here/../configuration.py" container | put 644 /dev/stdin etc/pagerduty-dora/config.toml

# The libraries that the program names, the loader, and what glibc needs to resolve host names. The loader searches the
# folders that Debian's packages use.
(
    cd "$work/debian"
    needed=$(objdump --private-headers "$root/$program" | awk '/NEEDED/ { print $2 }')
    for library in $needed libnss_dns.so.2 libnss_files.so.2 libresolv.so.2; do
        put 755 lib/*-linux-gnu/"$library" "$(echo lib/*-linux-gnu)/$library"
    done
    for loader in lib*/ld-linux-*; do put 755 "$loader" "$loader"; done
)
printf 'hosts: files dns\n' | put 644 /dev/stdin etc/nsswitch.conf
printf 'root:x:0:0::/:\npagerduty-dora:x:65532:65532::/:\n' | put 644 /dev/stdin etc/passwd
printf 'root:x:0:\npagerduty-dora:x:65532:\n' | put 644 /dev/stdin etc/group
put 644 "$work/debian/usr/lib/os-release" etc/os-release

# Certificates for https, and time zones. sed ends each file with a line end, which cat does not.
sed -e '' "$work"/debian/usr/share/ca-certificates/mozilla/*.crt | put 644 /dev/stdin etc/ssl/certs/ca-certificates.crt
mkdir -p "$root/usr/share"
cp --archive "$work/debian/usr/share/zoneinfo" "$root/usr/share/"
rm -rf "$root"/usr/share/zoneinfo/{posix,right}

(
    cd "$work/debian"
    for copyright in usr/share/doc/*/copyright; do put 644 "$copyright" "$copyright"; done
)

# The only folder that the program writes to. A volume takes its place.
install -d -m 700 "$root/var/lib/pagerduty-dora"
