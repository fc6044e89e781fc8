#!/usr/bin/env bash
# build.sh TREE OUT: packs a tree of tree.sh as OUT/pagerduty-dora_VERSION_ARCHITECTURE.deb, the same bytes each time.
set -euo pipefail
tree=$1 out=$(realpath "$2")
here=$(realpath "$(dirname "$0")")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp --archive "$tree/." "$root"
cd "$root"

version=$(usr/bin/pagerduty-dora --version | cut -d' ' -f2)
doc=usr/share/doc/pagerduty-dora
# Debian's places: zsh's completions are elsewhere, and the licence is in `copyright`.
mkdir usr/share/zsh/vendor-completions
mv usr/share/zsh/site-functions/_pagerduty-dora usr/share/zsh/vendor-completions/
rmdir usr/share/zsh/site-functions
rm $doc/LICENSE
install -m 644 "$here/copyright" $doc/copyright
grep --quiet "^pagerduty-dora ($version) " "$here/changelog" ||
    { echo "packaging/deb/changelog has no entry for $version" >&2; exit 1; }
gzip -9n <"$here/changelog" >$doc/changelog.gz

mkdir DEBIAN
find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums
echo /etc/pagerduty-dora/config.toml >DEBIAN/conffiles
install -m 755 "$here"/{postinst,prerm,postrm} DEBIAN
# The newest symbol of glibc that the program uses decides which Debian it runs on.
glibc=$(objdump --dynamic-syms usr/bin/pagerduty-dora | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -1)
sed -e "s/@VERSION@/$version/" \
    -e "s/@ARCHITECTURE@/$(dpkg --print-architecture)/" \
    -e "s/@GLIBC@/${glibc#GLIBC_}/" \
    -e "s/@SIZE@/$(du --apparent-size -sk --exclude=DEBIAN . | cut -f1)/" \
    "$here/control" >DEBIAN/control

find . -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
# Level 1 takes a tenth of the time of the default level, for a sixth more bytes.
dpkg-deb --root-owner-group -Zxz -z1 --build . "$out" >/dev/null
