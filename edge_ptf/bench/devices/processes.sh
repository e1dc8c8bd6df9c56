# What tells a process from a later one with the same number: "NUMBER.START". The start is empty without /proc.
identity() {
  echo "$1.$(sed -n 's/.*) //p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20)"
}
# Whether the process of an identity, which may be followed by more, still runs.
alive() {
  rest=${1#*.}
  if [ -d /proc/self ]; then
    [ -n "${rest%%.*}" ] && [ "$(identity "${1%%.*}")" = "${1%%.*}.${rest%%.*}" ]
  else
    kill -0 "${1%%.*}" 2>/dev/null
  fi
}
# Ends the process group that the file $1 names.
end_group() {
  read -r leader < "$1" && alive "$leader" && kill -KILL "-${leader%%.*}" 2>/dev/null
}
