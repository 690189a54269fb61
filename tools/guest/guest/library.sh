# What every step may use. A step runs under `sh -eux`: the first command that fails ends it, and its log shows each one.

# host WORDS: asks the host for something (control.rs has the list), and prints its answer without the `ok`.
host() {
    echo "$*" >&3
    read -r -t 30 verdict answer <&3
    [ "$verdict" = ok ] || { echo "the host says: $verdict $answer" >&2; return 1; }
    echo "$answer"
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

uptime_seconds() {
    cut -d. -f1 /proc/uptime
}

# wait_until SECONDS COMMAND...: until it succeeds.
wait_until() {
    local end=$(($(uptime_seconds) + $1))
    shift
    until "$@"; do
        [ "$(uptime_seconds)" -lt "$end" ] || fail "not so in time: $*"
        sleep 0.1
    done
}

# What `pagewire` is told in every step: the NIC, and who it is. The far end is 10.0.0.2 and fd00::2.
near="--nic vfio:$NIC --ip 10.0.0.1/24 --ip fd00::1/64"

# far_end WORDS: the far end in the background; $far_end is its process.
far_end() {
    far-end "$@" >/tmp/far-end.log 2>&1 &
    far_end=$!
}

# far_end_receives PORT FILE: the same, once it listens.
far_end_receives() {
    far_end receive "$1" "$2"
    wait_until 10 grep -q listening /tmp/far-end.log
}

# background LOG COMMAND...: $background is its process.
background() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 &
    background=$!
}

# is_whole FILE NAME: FILE has the SHA-256 of /data/NAME.
is_whole() {
    [ "$(sha256sum <"$1")" = "$(sha256sum_of "$2")  -" ] || fail "$1 is not /data/$2"
}

sha256sum_of() {
    sed -n "s/  $1\$//p" /data/SHA256SUMS
}

# value NAME FILE: of a JSON object.
value() {
    tr ',{}' '\n' <"$2" | sed -n "s/^ *\"$1\": *\"\{0,1\}\([^\"]*\)\"\{0,1\} *\$/\1/p"
}

# refuses WORDS -- COMMAND...: it fails within 3 s with code 1 and one sentence that has all of WORDS.
refuses() {
    local words="" start=$(uptime_seconds) code=0
    while [ "$1" != -- ]; do
        words="$words $1"
        shift
    done
    shift
    timeout 10 "$@" >/tmp/refused 2>&1 || code=$?
    cat /tmp/refused
    [ $code = 1 ] || fail "exit code $code: $*"
    [ $(($(uptime_seconds) - start)) -le 3 ] || fail "took more than 3 s: $*"
    for word in $words; do
        grep -q -- "$word" /tmp/refused || fail "no word of $word: $*"
    done
}
