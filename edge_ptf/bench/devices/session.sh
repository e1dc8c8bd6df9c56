# Holds the device for one client: takes the lock, makes the run's directory, and waits for the end of its input. That
# comes when the client closes it, when the client dies and when the connection does; then all of it is taken away.
# Set before: mark (begins every line that is meant for the client), exclusive (yes or no), wait (seconds), who.
say() { echo "$mark $*"; }
pointed() { ls -ld "$1" 2>/dev/null | sed -n 's/^.* -> //p'; }
# A run's directory: first its list of groups, so that no program can start any more, then what runs, then the rest.
clear_run() {
  mv "$1/groups" "$1/ending" 2>/dev/null
  for file in "$1"/ending/*; do
    [ ! -f "$file" ] || end_group "$file"
  done
  rm -rf "$1"
}
finish() {
  trap '' EXIT HUP INT TERM
  [ -z "$run" ] || clear_run "$run"
  [ "$(pointed "$lock")" != "$claim" ] || rm -f "$lock"
  rmdir "$base" 2>/dev/null
}
# The lock is a link that points nowhere; its target says who holds it. Making it succeeds for one only. That of a dead
# holder is removed by whoever makes the directory named after it, so that nobody removes the lock of a successor.
# The holder before may have taken away an empty folder.
take_lock() {
  mkdir -p "$base" || exit 1
  ln -s "$claim" "$lock" 2>/dev/null && return
  holder=$(pointed "$lock")
  if [ -n "$holder" ] && ! alive "$holder" && mkdir "$lock.$holder" 2>/dev/null; then
    [ "$(pointed "$lock")" != "$holder" ] || rm -f "$lock" 2>/dev/null
    rmdir "$lock.$holder"
    ln -s "$claim" "$lock" 2>/dev/null && return
    holder=$(pointed "$lock")
  fi
  return 1
}

umask 077
base=${EDGE_PTF_CACHE:-}
lock=$base/lock
if [ -z "$base" ]; then
  base=${XDG_CACHE_HOME:-$HOME/.cache}/edge-ptf
  [ ! -w /data/local/tmp ] || base=/data/local/tmp/edge-ptf
  lock=$base/lock
  [ ! -w /tmp ] || lock=/tmp/edge-ptf.lock
fi
run=
self=$(identity $$)
claim=$self.$(date +%Y-%m-%dT%H:%M).$who
trap finish EXIT
trap 'exit 1' HUP INT TERM
trap '' PIPE

if [ "$exclusive" = yes ]; then
  waited=0
  until take_lock; do
    if [ "$waited" -ge "$wait" ]; then
      [ -z "$holder" ] || say refused "$lock" "$holder"
      [ -n "$holder" ] || ln -s "$claim" "$lock"
      exit 1
    fi
    [ "$waited" -gt 0 ] || say waiting "$lock" "$holder"
    sleep 1
    waited=$((waited + 1))
  done
fi
for left in "$base"/run.*; do
  name=${left##*/run.}
  [ ! -d "$left" ] || alive "$name" || clear_run "$left"
done
find "$base" -type f -name '????????????????????????????????????????????????????????????????' -mtime +30 \
  -exec rm -f {} ';' 2>/dev/null
run=$base/run.$self
mkdir -p "$run/groups" || exit 1
say ready "$run"
cat > /dev/null
