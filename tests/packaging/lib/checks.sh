# Functions for the checks. Each check begins by reading this file. Variables: DIST is the folder with the packages, TREE a
# tar of a Debian tree, TOOLS a folder with Python tools, WORK a folder for files, REPOSITORY the checkout.

fail() {
    echo "$*" >&2
    exit 1
}

# COMMAND | says TEXT: true if the output has the text. Reads all of the output: `grep --quiet` would end at the first line
# and break the pipe.
says() { grep --fixed-strings -- "$1" >/dev/null; }

# need TOOL…: ends the check as skipped if a tool is missing.
need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { echo "${tool##*/} is missing" && exit 77; }
    done
}

# fresh NAME: makes an empty folder, and prints its path.
fresh() {
    rm -rf "${WORK:?}/$1"
    mkdir "$WORK/$1"
    echo "$WORK/$1"
}
