# Starts this pod's Sentinel on what it knew before, or on the primary that the others name. A password that was changed
# is taken over.
set -eu
self=$HOSTNAME.promise-redis
. /conf/primary.sh
primary=$(primary)
{
  if [ -s /data/sentinel.conf ]; then
    grep -Ev "^(requirepass|user |sentinel (auth|sentinel)-pass)" /data/sentinel.conf
  else
    cat /conf/sentinel.conf
    echo "sentinel announce-ip $self"
    echo "sentinel monitor promise $primary 6379 2"
    echo "sentinel down-after-milliseconds promise 5000"
    echo "sentinel failover-timeout promise 30000"
    echo "sentinel parallel-syncs promise 1"
  fi
  printf 'requirepass "%s"\nsentinel sentinel-pass "%s"\n' "$REDIS_PASSWORD" "$REDIS_PASSWORD"
  printf 'sentinel auth-pass promise "%s"\n' "$REDIS_PASSWORD"
} >/data/sentinel.new
mv /data/sentinel.new /data/sentinel.conf
exec redis-server /data/sentinel.conf --sentinel
