# The settings for Patroni can be read, and ask for what docs/replicas.md says of them.
source lib/checks.sh
need "$TOOLS/bin/kubernetes-validate"

# kubernetes-validate brings a reader of YAML.
"$TOOLS/bin/python" - "$REPOSITORY/packaging/patroni/dynamic.yaml" <<'PYTHON'
import sys
import yaml

settings = yaml.safe_load(open(sys.argv[1]))
assert settings["synchronous_mode"] is True and settings["synchronous_mode_strict"] is True, settings
PYTHON
