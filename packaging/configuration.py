#!/usr/bin/env python3
"""configuration.py systemd|container: prints config.example.toml with the values that a package needs.

The packages show every key with its comment, as the example does. Only these lines differ. The script fails if the
example no longer has one of them.
"""

import pathlib
import sys

EXAMPLE = pathlib.Path(__file__).resolve().parent.parent / "config.example.toml"

STORE = ('path = "pagerduty-dora.db"', 'path = "/var/lib/pagerduty-dora/pagerduty-dora.db"')
SECRET = 'signing_secrets = [{ env = "PAGERDUTY_SIGNING_SECRET" }]'

CHANGES = {
    # The unit loads the secret with LoadCredential=.
    "systemd": [STORE, (SECRET, 'signing_secrets = [{ credential = "signing-secret" }]')],
    # Loopback inside a container is reached by nobody. Container engines and Kubernetes put secrets under /run/secrets.
    "container": [
        STORE,
        (SECRET, 'signing_secrets = [{ file = "/run/secrets/signing-secret" }]'),
        ('listen = "127.0.0.1:8080"', 'listen = "0.0.0.0:8080"'),
        ('listen = "127.0.0.1:8081"', 'listen = "0.0.0.0:8081"'),
    ],
}


def configuration(package):
    text = EXAMPLE.read_text()
    for old, new in CHANGES[package]:
        if text.count(f"\n{old}") != 1:
            sys.exit(f"{EXAMPLE.name} does not have this line exactly once: {old}")
        text = text.replace(f"\n{old}", f"\n{new}")
    return text


if len(sys.argv) != 2 or sys.argv[1] not in CHANGES:
    sys.exit(f"usage: configuration.py {'|'.join(CHANGES)}")
sys.stdout.write(configuration(sys.argv[1]))
