# The manifests are valid for Kubernetes 1.29, the first with a stable ReadWriteOncePod, and for a newer one.
source lib/checks.sh
need kubectl "$TOOLS/bin/kubernetes-validate"

examples=$REPOSITORY/packaging
for example in kubernetes kubernetes-replicas; do
    manifests=$WORK/$example.yaml
    kubectl kustomize "$examples/$example" >"$manifests"
    for version in 1.29 1.34; do
        "$TOOLS/bin/kubernetes-validate" --strict --kubernetes-version "$version" "$manifests"
    done
done
# No kustomization has these two.
"$TOOLS/bin/kubernetes-validate" --strict --kubernetes-version 1.34 \
    "$examples"/kubernetes-replicas/{ingress,store-copy}.yaml
# A key that no schema knows must be found. Otherwise the check above shows nothing.
sed 's/terminationGracePeriodSeconds/terminationGraceSeconds/' "$manifests" >"$WORK/wrong.yaml"
! "$TOOLS/bin/kubernetes-validate" --strict --kubernetes-version 1.34 "$WORK/wrong.yaml" >/dev/null 2>&1 ||
    fail "a misspelt key is not found"

for file in networkpolicy.yaml service.yaml; do
    diff <(grep -v '^#' "$examples/kubernetes/$file") <(grep -v '^#' "$examples/kubernetes-replicas/$file") ||
        fail "$file differs between the two examples"
done
