# kill -9 in the middle of a transfer: the device is quiet, and the next run works.
host capture killed
far_end_receives 5001 /tmp/arrived
background /tmp/send.log pagewire send /data/64M.bin $near --to 10.0.0.2:5001
wait_until 10 test -s /tmp/arrived
kill -9 $background
wait $background || [ $? = 137 ]
[ "$(stat -c %s /tmp/arrived)" -lt 67108864 ]
kill -9 $far_end
sleep 1
heard() { cat /sys/class/net/$FAR/statistics/rx_packets; }
before=$(heard)
sleep 3
[ "$(heard)" = "$before" ]
rm /tmp/arrived
far_end_receives 5002 /tmp/arrived
pagewire send /data/odd.bin $near --to 10.0.0.2:5002
wait $far_end
is_whole /tmp/arrived odd.bin
rm /tmp/arrived
