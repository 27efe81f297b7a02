#!/usr/bin/env bash
# Makes the files beside it anew, with the openssl command (3.0 or later). Every key here is for tests only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
rm -f -- *.pem *.der
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

century=36500

# ca NAME SUBJECT [ARGUMENT...]: a self-signed CA for the key NAME.pkcs8.pem
ca() {
  local name=$1 subject=$2
  shift 2
  openssl req -x509 -new -key "$name.pkcs8.pem" -subj "$subject" -days $century -out "$name.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign "$@" 2>/dev/null
}

# One CA for each kind of key, the key in each of its forms.
for bits in 1024 2048 3072 4096; do
  openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:$bits -out rsa-$bits.pkcs8.pem 2>/dev/null
  openssl rsa -in rsa-$bits.pkcs8.pem -traditional -out rsa-$bits.pkcs1.pem 2>/dev/null
  ca rsa-$bits "/C=DE/O=Certferry tests/CN=RSA $bits"
done
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:8192 -out rsa-8192.pkcs8.pem 2>/dev/null
for curve in 256 384 521; do
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-$curve -out p-$curve.pkcs8.pem
  openssl ec -in p-$curve.pkcs8.pem -out p-$curve.sec1.pem 2>/dev/null
  ca p-$curve "/C=DE/O=Certferry tests/CN=P-$curve"
done

# The same in DER, and with what OpenSSL writes before a SEC1 key.
openssl pkcs8 -topk8 -nocrypt -in rsa-2048.pkcs8.pem -outform DER -out rsa-2048.pkcs8.der
openssl rsa -in rsa-2048.pkcs8.pem -traditional -outform DER -out rsa-2048.pkcs1.der 2>/dev/null
openssl pkcs8 -topk8 -nocrypt -in p-256.pkcs8.pem -outform DER -out p-256.pkcs8.der
openssl ec -in p-256.pkcs8.pem -outform DER -out p-256.sec1.der 2>/dev/null
{ openssl ecparam -name prime256v1; cat p-256.sec1.pem; } > p-256.parameters.pem

# Keys that are refused.
openssl pkcs8 -topk8 -in rsa-2048.pkcs8.pem -passout pass:test -out rsa-2048.encrypted.pem
openssl pkcs8 -topk8 -in p-256.pkcs8.pem -passout pass:test -outform DER -out p-256.encrypted.der
openssl rsa -in rsa-2048.pkcs8.pem -traditional -aes128 -passout pass:test -out rsa-2048.legacy-encrypted.pem 2>/dev/null
openssl ec -in p-256.pkcs8.pem -aes128 -passout pass:test -out p-256.legacy-encrypted.pem 2>/dev/null
openssl genpkey -quiet -algorithm ED25519 -out ed25519.pkcs8.pem
openssl genpkey -quiet -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out rsa-pss.pkcs8.pem 2>/dev/null
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out secp256k1.pkcs8.pem
openssl ec -in secp256k1.pkcs8.pem -out secp256k1.sec1.pem 2>/dev/null
openssl ec -in p-256.pkcs8.pem -param_enc explicit -out p-256.explicit.pem 2>/dev/null

# Another CA of the same name, and certificates that say less: no basicConstraints, CA:FALSE, version 1.
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out twin.pkcs8.pem 2>/dev/null
ca twin "/C=DE/O=Certferry tests/CN=RSA 2048"
sign() { # sign OUT SUBJECT EXTENSIONS: a certificate signed by itself with the key of rsa-2048, without a key identifier
  printf '[none]\nsubjectKeyIdentifier = none\nauthorityKeyIdentifier = none\n%b' "$3" > "$work/extensions"
  openssl req -new -key rsa-2048.pkcs8.pem -subj "$2" -out "$work/request"
  openssl x509 -req -in "$work/request" -signkey rsa-2048.pkcs8.pem -days $century -out "$1" \
    ${3:+-extfile "$work/extensions" -extensions none} 2>/dev/null
}
sign unstated.pem "/CN=unstated" 'keyUsage = digitalSignature\n'
sign ca-off.pem "/CN=ca off" 'basicConstraints = CA:FALSE\n'
sign v1.pem "/CN=version 1" ''

# A chain: leaf, intermediate (P-384), root (RSA 2048).
openssl req -new -key p-384.pkcs8.pem -subj "/O=Certferry tests/CN=intermediate" -out "$work/request"
printf 'basicConstraints = critical, CA:TRUE\nsubjectKeyIdentifier = hash\n' > "$work/extensions"
openssl x509 -req -in "$work/request" -CA rsa-2048.pem -CAkey rsa-2048.pkcs8.pem -days $century \
  -extfile "$work/extensions" -out "$work/intermediate.pem" 2>/dev/null
openssl req -new -key p-256.pkcs8.pem -subj "/CN=device-1" -out "$work/request"
printf 'basicConstraints = CA:FALSE\nsubjectAltName = DNS:device-1\n' > "$work/extensions"
openssl x509 -req -in "$work/request" -CA "$work/intermediate.pem" -CAkey p-384.pkcs8.pem -sha384 -days $century \
  -extfile "$work/extensions" -out "$work/leaf.pem" 2>/dev/null
cat "$work/leaf.pem" "$work/intermediate.pem" rsa-2048.pem > chain.pem
for one in leaf intermediate; do openssl x509 -in "$work/$one.pem" -out chain-$one.pem; done
{ for one in chain-leaf.pem chain-intermediate.pem rsa-2048.pem; do openssl x509 -in $one -text; done; } > surrounded.pem
openssl crl2pkcs7 -nocrl -certfile chain.pem -out chain.p7b.pem
openssl x509 -in rsa-2048.pem -trustout -addtrust clientAuth -out trusted.pem
openssl req -new -key p-256.pkcs8.pem -subj "/CN=request" -out request.pem
openssl pkey -in p-256.pkcs8.pem -pubout -out p-256.public.pem
openssl pkcs12 -export -inkey p-256.pkcs8.pem -in chain-leaf.pem -passout pass:test -out pkcs12.der

# Validity that is over, and that is far off; both hold by any sane clock.
dated() { # dated OUT SUBJECT START END
  printf '[ca]\ndefault_ca = c\n[c]\nnew_certs_dir = %s\ndatabase = %s/index\nserial = %s/serial\ndefault_md = sha256\npolicy = p\nx509_extensions = e\n[p]\ncommonName = supplied\n[e]\nbasicConstraints = critical, CA:TRUE\n' \
    "$work" "$work" "$work" > "$work/ca.cnf"
  : > "$work/index"
  echo 0A1B2C > "$work/serial"
  openssl req -new -key rsa-2048.pkcs8.pem -subj "$2" -out "$work/request"
  openssl ca -batch -notext -config "$work/ca.cnf" -selfsign -keyfile rsa-2048.pkcs8.pem -in "$work/request" \
    -startdate "$3" -enddate "$4" -out "$1" 2>/dev/null
}
dated expired.pem "/CN=expired" 20200101000000Z 20210101000000Z
dated not-yet-valid.pem "/CN=not yet valid" 20900101000000Z 20910101000000Z
dated endless.pem "/CN=endless" 20200101000000Z 99991231235959Z

# Subjects whose issuer a proof has to repeat byte for byte. MASK takes OpenSSL's numbers of string types.
odd() { # odd NAME STRING-MASK DISTINGUISHED-NAME-LINES
  printf '[req]\nprompt = no\nutf8 = yes\nstring_mask = %s\ndistinguished_name = d\n[d]\n%b' "$2" "$3" > "$work/odd.cnf"
  openssl req -x509 -new -key rsa-2048.pkcs8.pem -config "$work/odd.cnf" -days $century -out "subject-$1.pem" \
    -addext basicConstraints=critical,CA:TRUE
}
odd t61 MASK:4 'O = Süd\nCN = T61\n'
odd bmp MASK:2048 'O = 工厂\nCN = BMP\n'
odd utf8 MASK:8192 'O = Fabrik Süd 工厂\nCN = UTF-8, quoted "x" + <y>; \\\\z\n'
odd printable MASK:2 'C = DE\nO = Printable\n'
odd ia5 MASK:16 'emailAddress = ca@example.com\nDC = example\n'
odd multi MASK:8192 'O = Certferry tests\n+OU = one\n+CN = two\n'
openssl req -x509 -new -key rsa-2048.pkcs8.pem -subj / -days $century -out subject-empty.pem \
  -addext basicConstraints=critical,CA:TRUE

# Proofs made elsewhere, for the code OFFLINE-CODE-1 and the CA rsa-2048.
offline() { # offline OUT SUBJECT HASH CA
  openssl req -new -key p-256.pkcs8.pem -subj "$2" -out "$work/request"
  openssl x509 -req -in "$work/request" -CA "$4.pem" -CAkey "$4.pkcs8.pem" "-$3" -days $century -out "$1" 2>/dev/null
}
offline proof.pem /CN=OFFLINE-CODE-1 sha256 rsa-2048
offline proof-sha512.pem "/O=Someone/CN=OFFLINE-CODE-1" sha512 rsa-2048
offline proof-sha1.pem /CN=OFFLINE-CODE-1 sha1 rsa-2048
offline proof-two-names.pem /CN=OFFLINE-CODE-1/CN=OFFLINE-CODE-2 sha256 rsa-2048
offline proof-no-name.pem /O=OFFLINE-CODE-1 sha256 rsa-2048
offline proof-of-twin.pem /CN=OFFLINE-CODE-1 sha256 twin
offline proof-of-p-521.pem /CN=OFFLINE-CODE-1 sha256 p-521
offline proof-of-rsa-1024.pem /CN=OFFLINE-CODE-1 sha256 rsa-1024
