#!/bin/sh
# Run a command with the account of the database server taken from files, as secrets are given to
# containers: DJ_PASS_FILE=/run/secrets/worker_password stands for DJ_PASS.
set -eu

for name in DJ_USER DJ_PASS; do
    eval "file=\${${name}_FILE:-}"
    [ -n "$file" ] || continue
    if [ ! -r "$file" ]; then
        echo "entrypoint: ${name}_FILE names $file, which cannot be read; check the secrets." >&2
        exit 1
    fi
    value=$(cat "$file")
    export "$name=$value"
done
exec "$@"
