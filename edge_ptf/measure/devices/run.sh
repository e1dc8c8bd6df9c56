# Runs a program in a process group of its own. Set before: run, number, input; the program is the arguments.
cd "$run" || exit
export number
lead='echo "$(identity $$)" > "groups/$number" && exec "$@"'
if command -v setsid > /dev/null; then
  setsid sh -c "$processes
$lead" sh "$@" < "$input" &
else
  set -m
  sh -c "$processes
$lead" sh "$@" < "$input" &
  set +m
fi
wait $!
code=$?
kill -KILL "-$!" 2> /dev/null
rm -f "groups/$number"
exit $code
