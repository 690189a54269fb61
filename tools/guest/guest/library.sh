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
