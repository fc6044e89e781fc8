# HAProxy accepts the example without a warning.
source lib/checks.sh
need haproxy openssl

folder=$(fresh haproxy)
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=dora.example.com -keyout "$folder/key.pem" \
    -out "$folder/certificate.pem" 2>/dev/null
cat "$folder/certificate.pem" "$folder/key.pem" >"$folder/dora.pem"
sed "s|/etc/haproxy/dora.pem|$folder/dora.pem|" "$REPOSITORY/packaging/haproxy/haproxy.cfg" >"$folder/haproxy.cfg"
complaints=$(haproxy -c -q -f "$folder/haproxy.cfg" 2>&1) || fail "$complaints"
[[ -z $complaints ]] || fail "HAProxy warns: $complaints"
