# 64 MiB from Linux's TCP.
# limit: 60
host capture receives
background /tmp/recv.log pagewire recv $near --listen 5001 --output /data/arrived --json
wait_until 10 ping -c 1 -W 1 10.0.0.1
far-end send /data/64M.bin 10.0.0.1:5001
wait $background || { cat /tmp/recv.log; fail "recv ended with $?"; }
cat /tmp/recv.log
is_whole /data/arrived 64M.bin
[ "$(value sha256 /tmp/recv.log)" = "$(sha256sum_of 64M.bin)" ]
rm /data/arrived
