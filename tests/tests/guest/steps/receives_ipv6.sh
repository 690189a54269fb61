# The same over IPv6.
# limit: 60
host capture receives_ipv6
background /tmp/recv.log pagewire recv $near --listen 5001 --output /data/arrived --json
wait_until 10 ping6 -c 1 -W 1 fd00::1
far-end send /data/64M.bin [fd00::1]:5001
wait $background || { cat /tmp/recv.log; fail "recv ended with $?"; }
is_whole /data/arrived 64M.bin
rm /data/arrived
