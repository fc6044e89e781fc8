# The image runs with a read-only root, without capabilities, under its own user. It is healthy, takes a webhook, keeps its
# data in the volume, and stops in order.
source lib/checks.sh
need crun podman

inside() {
    # In memory and in namespaces of its own, so nothing is left behind. crun needs cgroups of version 2 alone.
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    mount -t tmpfs tmpfs /run
    cd /run
    podman() {
        command podman --root=/run/root --runroot=/run/runroot --cgroup-manager=cgroupfs --runtime=crun \
            --events-backend=none "$@"
    }
    program() { podman exec daemon pagerduty-dora "$@"; }
    is_healthy() { program health >/dev/null 2>&1; }
    run_daemon() {
        podman run --detach --name daemon --replace --read-only --read-only-tmpfs=false --cap-drop=all \
            --security-opt=no-new-privileges --cgroups=disabled --network=none --volume store:/var/lib/pagerduty-dora \
            --secret signing-secret,uid=65532,gid=65532,mode=0400 --volume "$REPOSITORY/fixtures/pagerduty:/fixtures:ro" \
            "$(podman images --quiet)" >/dev/null
        for _ in {1..100}; do
            if is_healthy; then return; fi
            sleep 0.1
        done
        fail "the container is not healthy: $(podman logs daemon 2>&1)"
    }
    deliver() {
        program send --now --secret-file /run/secrets/signing-secret --url http://127.0.0.1:8080/webhooks/pagerduty "$@"
    }

    echo 0123456789abcdef0123456789abcdef | podman secret create signing-secret - >/dev/null
    podman load --quiet --input "$(echo "$DIST"/*.oci.tar)"

    run_daemon
    process=$(podman inspect --format='{{.State.Pid}}' daemon)
    status=/proc/$process/status
    grep --quiet '^Uid:\s*65532\s' "$status" || fail "the user is not 65532"
    grep --quiet '^CapBnd:\s*0000000000000000$' "$status" || fail "the process has capabilities"
    # A warning would say that certificates or the time zone are missing.
    ! podman logs daemon 2>&1 | says WARN || fail "the start warns: $(podman logs daemon 2>&1)"
    deliver /fixtures/incident.triggered.json /fixtures/incident.resolved.json
    # Kubernetes and Prometheus ask by the address of the pod. A foreign name is refused.
    status_for() {
        nsenter --net --target "$process" curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' \
            --header "Host: $1" "http://127.0.0.1:8081/$2"
    }
    [[ $(status_for 10.1.2.3:8081 readyz) == 200 ]] || fail "a probe by address is refused"
    [[ $(status_for 10.1.2.3:8081 metrics) == 200 ]] || fail "Prometheus is refused"
    [[ $(status_for evil.example metrics) == 421 ]] || fail "a foreign name is answered"
    podman stop --time 10 daemon >/dev/null
    [[ $(podman inspect --format='{{.State.ExitCode}}' daemon) == 0 ]] || fail "the stop was not in order"

    run_daemon
    program failures --format json | says '"state": "completed"' || fail "the volume did not keep the store"
    podman stop --time 10 daemon >/dev/null
}
export -f inside fail says
unshare --mount --pid --fork --kill-child --mount-proc --propagation private bash -euo pipefail -c inside
