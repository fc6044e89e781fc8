#!/usr/bin/env bash
# build.sh TREE OUT: packs a tree of tree.sh as OUT/pagerduty-dora-VERSION-1.ARCHITECTURE.rpm, the same bytes each time.
set -euo pipefail
tree=$(realpath "$1") out=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$("$tree/usr/bin/pagerduty-dora" --version | cut -d' ' -f2)
rpmbuild -bb --quiet --nodeps --define "tree $tree" --define "version $version" \
    --define "_topdir $work" --define "_rpmdir $out" \
    --define "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" \
    "$(dirname "$0")/pagerduty-dora.spec"
