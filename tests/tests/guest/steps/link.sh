# The link goes down in the middle of a transfer and comes up again.
# limit: 60
host capture link
far_end_receives 5001 /tmp/arrived
background /tmp/send.log pagewire send /data/16M.bin $near --to 10.0.0.2:5001
wait_until 10 test -s /tmp/arrived
host link down
sleep 2
size=$(stat -c %s /tmp/arrived)
[ "$size" -lt 16777216 ]
sleep 1
[ "$(stat -c %s /tmp/arrived)" = "$size" ]
host link up
wait $background || { cat /tmp/send.log; fail "send ended with $?"; }
cat /tmp/send.log
wait $far_end
is_whole /tmp/arrived 16M.bin
grep -q -i 'link' /tmp/send.log
rm /tmp/arrived
