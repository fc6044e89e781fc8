# Functions for the scripts that run in a booted Debian. Each script begins by reading this file.

folder=/etc/pagerduty-dora
secret=0123456789abcdef0123456789abcdef
webhooks=http://127.0.0.1:8080/webhooks/pagerduty

fail() {
    echo "$*" >&2
    journalctl --unit='pagerduty-dora*' --lines=30 --no-pager --output=cat >&2
    exit 1
}

# COMMAND | says TEXT: true if the output has the text. Reads all of the output: `grep --quiet` would end at the first line
# and break the pipe.
says() { grep --fixed-strings -- "$1" >/dev/null; }

# eventually SECONDS COMMAND…: repeats the command until it succeeds. Fails after so many seconds.
eventually() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < end)) || fail "not within the time: $*"
        sleep 0.05
    done
}

# value PROPERTY: a property of the service, as systemd knows it.
value() { systemctl show --property="$1" --value pagerduty-dora; }

# has PROPERTY VALUE
has() { [[ $(value "$1") == "$2" ]]; }

# dpkg asks nobody: an edited configuration stays.
install_package() {
    dpkg --force-confold --install "${1:-$(echo ./pagerduty-dora_*.deb)}" >dpkg.log 2>&1 || fail "dpkg: $(cat dpkg.log)"
}

write_secret() { (umask 077 && echo "${2:-$secret}" >"$folder/${1:-signing-secret}"); }

# Installs the package with a secret, and starts the service.
start_service() {
    install_package
    write_secret
    systemctl start pagerduty-dora
}

# deliver FILE…: sends webhooks as PagerDuty does. Fails unless all are answered 2xx.
deliver() { pagerduty-dora send --now --secret-file $folder/signing-secret --url $webhooks "$@"; }

# Number of events in the store. A backup counts them.
events() { pagerduty-dora backup /tmp/counted.db | sed -n 's/.*(events: \([0-9]*\),.*/\1/p'; }

# Sends webhooks one after the other until `end_stream`. Each answer of 2xx is a line of /tmp/accepted, and each other
# outcome a line of /tmp/refused.
begin_stream() {
    rm -f /tmp/accepted /tmp/refused
    touch /tmp/accepted /tmp/refused /tmp/streaming
    while [[ -e /tmp/streaming ]]; do
        if deliver incident.triggered.json >/tmp/answer 2>&1; then
            cat /tmp/answer >>/tmp/accepted
        else
            cat /tmp/answer >>/tmp/refused
        fi
    done &
    stream=$!
}

end_stream() {
    rm /tmp/streaming
    wait "$stream"
}

# has_accepted NUMBER: true once the stream has so many answers of 2xx.
has_accepted() { (($(wc -l </tmp/accepted) >= $1)); }

# accepts_more: waits until the stream has ten more answers of 2xx.
accepts_more() { eventually 20 has_accepted $(($(wc -l </tmp/accepted) + 10)); }
