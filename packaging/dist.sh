#!/usr/bin/env bash
# dist.sh BINARY OUT: builds all files of a release from a ready binary, into the folder OUT: a .deb, an .rpm, an image, a
# .tar.gz of the same files, the licences and the SBOM of what is compiled in, and SHA256SUMS.
#
# The binary must be for this machine. Needs Debian 12 or later with binutils, cargo, dpkg, python3 (3.11) and rpm.
# The same commit, binary and tools give the same bytes.
set -euo pipefail
binary=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
cd "$(dirname "$0")"
if [[ -z ${SOURCE_DATE_EPOCH-} ]]; then
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
fi
export SOURCE_DATE_EPOCH
umask 022

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$("$binary" --version | cut -d' ' -f2)
name=pagerduty-dora-$version-$(uname -m)

tree=$work/$name
./tree.sh "$binary" "$tree"
deb/build.sh "$tree" "$out"
rpm/build.sh "$tree" "$out"
oci/rootfs.sh "$tree" "$work/image"
oci/image.py "$work/image" "$version" "$out/$name.oci.tar"
tar --directory="$work" --create --sort=name --owner=0 --group=0 --numeric-owner "$name" | gzip -6n >"$out/$name.tar.gz"
cp "$tree"/usr/share/doc/pagerduty-dora/{sbom.cdx.json,third-party-licences.txt} "$out"

cd "$out"
sha256sum -- *pagerduty-dora* sbom.cdx.json third-party-licences.txt >SHA256SUMS
