# Starts this pod's server, behind the primary unless it is the primary. The password is in no argument.
set -eu
self=$HOSTNAME.promise-redis
. /conf/primary.sh
primary=$(primary)
{
  cat /conf/redis.conf
  printf 'requirepass "%s"\nmasterauth "%s"\nreplica-announce-ip %s\n' "$REDIS_PASSWORD" "$REDIS_PASSWORD" "$self"
  [ "$primary" = "$self" ] || echo "replicaof $primary 6379"
} >/run/redis/redis.conf
exec redis-server /run/redis/redis.conf
