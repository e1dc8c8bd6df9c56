# Runs a program in a process group of its own. Set before: run, number, input, processes; the program is the arguments.
# It first says which group it is and then looks whether it was stopped; whoever stops it does the reverse.
cd "$run" || exit 255
lead='file=groups/$1; shift
echo "$(identity $$)" > "$file" && [ ! -e "$file.stop" ] && exec "$@"'
if command -v setsid > /dev/null; then
  setsid sh -c "$processes
$lead" sh "$number" "$@" < "$input" &
else
  set -m
  sh -c "$processes
$lead" sh "$number" "$@" < "$input" &
  set +m
fi
wait $!
code=$?
kill -KILL "-$!" 2> /dev/null
rm -f "groups/$number" "groups/$number.stop"
exit $code
