# The bus alone: BARs, reset, read-only mappings, each kind of interrupt; 100 times, and nothing is left behind.
# limit: 60
vfio-probe $NIC 100 4194304
[ -z "$(ls -l /proc/[0-9]*/fd 2>/dev/null | grep '/dev/vfio/[0-9]')" ]
