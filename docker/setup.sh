#!/bin/sh
# Make the project on the database server, or bring its tables up to date, and the accounts of the
# workers, of the backups and of the first admin. It may run as often as one likes.
#
# It alone knows the password of the server's owner (DJ_USER, DJ_PASS), and leaves it nowhere.
set -eu

project=${MESMERIZE_PROJECT:-/project}
prefix=${MESMERIZE_PREFIX:-mesmerize_}

if [ ! -e "$project/mesmerize.toml" ]; then
    mesmerize init "$project" --data "${MESMERIZE_DATA:-/data}" --prefix "$prefix" \
        --server "mysql://$DJ_USER@$DJ_HOST:${DJ_PORT:-3306}"
    : >"$project/.secrets/database.password"
fi
cd "$project"
mesmerize status # makes tables that a new version brings

known=$(mesmerize users list --json)
account() { # account NAME ROLE FILE: make it, with the password in the file
    if echo "$known" | grep -qF "\"name\": \"$1\""; then
        mesmerize users password "$1" --password-stdin <"$3" >/dev/null
    else
        mesmerize users add "$1" --role "$2" --password-stdin <"$3"
    fi
}
account "${WORKER_USER:-worker}" operator "$WORKER_PASSWORD_FILE"
account "${BACKUP_USER:-backup}" viewer "$BACKUP_PASSWORD_FILE"
account "${ADMIN_USER:-admin}" admin "$ADMIN_PASSWORD_FILE"
