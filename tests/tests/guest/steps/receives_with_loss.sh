# The same in the other direction.
# limit: 60
host capture receives_with_loss
background /tmp/recv.log pagewire recv $near --listen 5001 --output /data/arrived
wait_until 10 ping -c 1 -W 1 10.0.0.1
host drop 1000
far-end send /data/16M.bin 10.0.0.1:5001
wait $background || { cat /tmp/recv.log; fail "recv ended with $?"; }
is_whole /data/arrived 16M.bin
[ "$(host drop 0)" -ge 10 ]
rm /data/arrived
