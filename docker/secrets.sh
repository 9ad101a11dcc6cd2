#!/bin/sh
# Make up the passwords of docker/compose.yaml, in docker/secrets/; those that are there stay.
set -eu
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
for name in root worker backup admin; do
    file=$folder/${name}_password
    [ -s "$file" ] && continue
    # containers read them as another user than the owner of this folder
    (umask 022 && head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$file")
done
chmod 711 "$folder"
printf '*\n' >"$folder/.gitignore"
echo "The first admin signs in as 'admin' with the password in $folder/admin_password"
