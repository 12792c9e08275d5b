# Prints the primary's name: as another Sentinel says, else as this pod's own last knew, else, at the very first start,
# the first pod. Sentinel writes what it knows to /data, so all three may stop at once.
primary() {
  for peer in promise-redis-0.promise-redis promise-redis-1.promise-redis promise-redis-2.promise-redis; do
    [ "$peer" = "$self" ] && continue
    said=$(timeout 3 redis-cli --tls --cacert /tls/ca.crt -h "$peer" -p 26379 \
      sentinel get-master-addr-by-name promise 2>/dev/null | head -n 1)
    case $said in *promise-redis*) echo "$said"; return ;; esac
  done
  said=$(sed -n 's/^sentinel monitor promise \([^ ]*\) .*/\1/p' /data/sentinel.conf 2>/dev/null || true)
  echo "${said:-promise-redis-0.promise-redis}"
}
