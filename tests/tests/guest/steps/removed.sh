# The NIC is taken away while it is in use: told within 3 s, and everything is released; it comes back, and works.
far_end_receives 5001 /tmp/arrived
kill -STOP $far_end
background /tmp/send.log pagewire send /data/64M.bin $near --to 10.0.0.2:5001
sleep 3
start=$(uptime_seconds)
# The system waits until VFIO's user has let go of it.
timeout 10 sh -c "echo 1 >/sys/bus/pci/devices/$NIC/remove"
[ $(($(uptime_seconds) - start)) -le 3 ]
code=0
wait $background || code=$?
[ $code = 1 ]
cat /tmp/send.log
grep -q 'went while it was in use' /tmp/send.log
kill -9 $far_end
[ ! -e /sys/bus/pci/devices/$NIC ]
refuses $NIC 'pagewire.list' -- pagewire ping 10.0.0.2 $near
echo 1 >/sys/bus/pci/rescan
pagewire bind $NIC
pagewire ping 10.0.0.2 $near --count 1
