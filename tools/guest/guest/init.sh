#!/bin/busybox sh
# The guest's first process: it makes the machine ready, runs the steps, hands over what they left, and powers off.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs results /results
mount -t tmpfs tmp /tmp
chmod 1777 /tmp
. /environment

while read -r module; do
    insmod "/modules/$module" || echo "module $module: not loaded"
done </modules/order

stty -F /dev/ttyS1 raw -echo
exec 3<>/dev/ttyS1
. /library.sh

mount -t ext4 /dev/vda /data
ip link set lo up
# The far end: Linux's own TCP on the virtio-net NIC.
far=$(basename /sys/bus/pci/devices/0000:00:04.0/virtio*/net/*)
echo 0 >"/proc/sys/net/ipv6/conf/$far/accept_dad"
ip link set "$far" up
ip address add 10.0.0.2/24 dev "$far"
ip address add fd00::2/64 dev "$far"
export FAR=$far

while read -r name limit; do
    host begin "$name" >/dev/null
    start=$(uptime_seconds)
    # A step may leave anything running: it gets a session of its own, and what it started is ended with it.
    if timeout -s KILL "$limit" sh -eux -c ". /library.sh; . /steps/$name" >"/results/$name.log" 2>&1; then
        outcome=ok
    else
        echo "(exit code $? after at most $limit s)" >>"/results/$name.log"
        # The console is there even if the guest does not come to its end.
        tail -n 60 "/results/$name.log"
        outcome=FAILED
    fi
    killall -q -KILL pagewire far-end
    host drop 0 >/dev/null
    host link up >/dev/null
    host capture >/dev/null
    seconds=$(($(uptime_seconds) - start))
    echo "$name $outcome $seconds s"
    host check "$name" $outcome $seconds >/dev/null
done </steps/order

if [ "$INTERACTIVE" = 1 ]; then
    echo "a guest of pagewire's: the NIC is $NIC ($MODEL), its far end $FAR; 'exit' powers off"
    setsid cttyhack sh
fi
dmesg >/results/dmesg.log
tar -c -f /dev/vdb -C /results .
sync
host end >/dev/null
poweroff -f
