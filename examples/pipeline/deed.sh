# What a job needs to act through Deed: a shell, curl, openssl, basenc (GNU coreutils), sed. To be read by `.`; the caller sets
#   DEED_URL   where the server listens     DEED_TASK  the task to act in     DEED_KEY  the key file of the enrolled agent
# The formats: docs/formats/token.md, docs/formats/http-api.md.

field() { sed -n "s/^ *\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p" "$DEED_KEY"; }
DEED_PEM=$(mktemp) && trap 'rm -f "$DEED_PEM"' EXIT
field key | sed 's/\\n/\n/g' > "$DEED_PEM"
DEED_AGENT=$(field agent) DEED_SPIFFE=$(field spiffe) DEED_ORIGIN=$(field origin)

b64() { basenc --base64url -w0 | tr -d =; }
hash64() { openssl dgst -sha256 -binary | b64; }
# jwt TYP CLAIMS: ES256. openssl writes the signature as DER, a JWT holds its two numbers, 32 bytes each.
jwt() {
  now=$(date +%s)
  claims=$(printf '%s,"jti":"%s","iat":%s,"exp":%s}' "${2%\}}" "$(openssl rand -hex 16)" "$now" $((now + 60)) | b64)
  signed=$(printf '{"alg":"ES256","typ":"%s"}' "$1" | b64).$claims
  signature=$(printf '%s' "$signed" | openssl dgst -sha256 -sign "$DEED_PEM" | openssl asn1parse -inform DER |
    sed -n 's/.*INTEGER *://p' | while read -r n; do printf '%64s' "$n" | tr ' ' 0; done | basenc --base16 -d | b64)
  printf '%s.%s' "$signed" "$signature"
}

# member NAME: the value of a text member of the JSON on the standard input.
member() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# A token lives five minutes; its nonce, which approvals ask for, two. A job gets both anew for each request: that is simplest.
deed_token() {
  curl -sS "$DEED_URL/oauth/token" \
    -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
    -d client_assertion="$(jwt JWT "{\"iss\":\"$DEED_AGENT\",\"sub\":\"$DEED_AGENT\",\"aud\":\"$DEED_URL\"}")" \
    -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange \
    -d subject_token_type=urn:ietf:params:oauth:token-type:jwt \
    -d subject_token="$(jwt deed-assertion+jwt "{\"iss\":\"$DEED_SPIFFE\",\"aud\":\"$DEED_ORIGIN\",\"task\":\"$DEED_TASK\"}")"
}

# deed METHOD PATH [BODY]: one request, with a token and a proof of exactly this message. Prints the answer; the exit code is 0 for 2xx.
deed() {
  issued=$(deed_token)
  token=$(printf '%s' "$issued" | member access_token)
  message=${3-"$1 ${2%%\?*}"}
  proof=$(jwt wpt+jwt "{\"aud\":\"$DEED_ORIGIN\",\"ath\":\"$(printf '%s' "$token" | hash64)\",\"deed_bdh\":\"$(
    printf '%s' "$message" | hash64
  )\",\"nonce\":\"$(printf '%s' "$issued" | member nonce)\"}")
  set -- "$1" "$2" ${3+--data-binary "$3"}
  method=$1 path=$2 && shift 2
  curl -sS --fail-with-body -X "$method" "$DEED_URL$path" -H 'content-type: application/json' \
    -H "deed-task-token: $token" -H "workload-proof-token: $proof" "$@"
}
