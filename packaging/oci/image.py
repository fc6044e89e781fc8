#!/usr/bin/env python3
"""image.py ROOT VERSION OUT.tar: packs the file system of rootfs.sh as an image, in the layout of the OCI.

It needs no other tool and no rights. The same files and SOURCE_DATE_EPOCH give the same bytes. `podman load` and
`skopeo copy oci-archive:OUT.tar …` read the result.
"""

import gzip
import hashlib
import io
import json
import os
import pathlib
import platform
import sys
import tarfile
import time

EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])
CREATED = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
USER = 65532
STATE = "var/lib/pagerduty-dora"


def layer(root):
    """A tar of all files, in order. Everything belongs to root, except the folder for the store."""

    def normal(entry):
        entry.uid = entry.gid = USER if entry.name == STATE else 0
        entry.uname = entry.gname = ""
        entry.mtime = EPOCH
        return entry

    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            tar.add(path, path.relative_to(root), recursive=False, filter=normal)
    return layer.getvalue()


class Layout:
    """An archive of an image layout. Its blobs have their digests as names."""

    def __init__(self, file):
        self.tar = tarfile.open(file, "w", format=tarfile.USTAR_FORMAT)

    def add(self, name, content):
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = len(content), EPOCH, 0o644
        self.tar.addfile(entry, io.BytesIO(content))

    def blob(self, kind, content):
        digest = hashlib.sha256(content).hexdigest()
        self.add(f"blobs/sha256/{digest}", content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(content)}


def as_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def labels(version):
    return {
        "org.opencontainers.image.created": CREATED,
        "org.opencontainers.image.description": "PagerDuty incidents as DORA failures, and the DORA figures",
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
        "org.opencontainers.image.title": "pagerduty-dora",
        "org.opencontainers.image.version": version,
    }


def main():
    root, version, out = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    files = layer(root)
    # The same as in the Containerfile, except HEALTHCHECK.
    config = {
        "User": f"{USER}:{USER}",
        "Env": ["MALLOC_ARENA_MAX=2", "MALLOC_MMAP_THRESHOLD_=131072"],
        "ExposedPorts": {"8080/tcp": {}, "8081/tcp": {}},
        "Entrypoint": ["/usr/bin/pagerduty-dora"],
        "Cmd": ["serve"],
        "Volumes": {f"/{STATE}": {}},
        "WorkingDir": f"/{STATE}",
        "Labels": labels(version),
    }
    image = {
        "created": CREATED,
        "architecture": ARCHITECTURE,
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(files).hexdigest()}"]},
        "history": [{"created": CREATED, "created_by": "packaging/oci/image.py"}],
    }
    layout = Layout(out)
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": layout.blob("config.v1+json", as_json(image)),
        "layers": [layout.blob("layer.v1.tar+gzip", gzip.compress(files, compresslevel=6, mtime=0))],
        "annotations": labels(version),
    }
    entry = layout.blob("manifest.v1+json", as_json(manifest))
    entry["annotations"] = {"org.opencontainers.image.ref.name": f"pagerduty-dora:{version}"}
    entry["platform"] = {"architecture": ARCHITECTURE, "os": "linux"}
    layout.add("index.json", as_json({"schemaVersion": 2, "manifests": [entry]}))
    layout.add("oci-layout", as_json({"imageLayoutVersion": "1.0.0"}))
    layout.tar.close()


main()
