# Somebody who is not root sends and receives, once the group's node is his.
# limit: 60
host capture unprivileged
group=$(basename $(readlink /sys/bus/pci/devices/$NIC/iommu_group))
refuses permission chown /dev/vfio/$group -- su somebody -c "pagewire ping 10.0.0.2 $near"
chown somebody /dev/vfio/$group
far_end_receives 5001 /tmp/arrived
su somebody -c "ulimit -l; pagewire send /data/16M.bin $near --to 10.0.0.2:5001 --json" >/tmp/send.json
cat /tmp/send.json
wait $far_end
is_whole /tmp/arrived 16M.bin
rm /tmp/arrived
background /tmp/recv.log su somebody -c "pagewire recv $near --listen 5001 --output /tmp/kept"
wait_until 10 ping -c 1 -W 1 10.0.0.1
far-end send /data/16M.bin 10.0.0.1:5001
wait $background || { cat /tmp/recv.log; fail "recv ended with $?"; }
is_whole /tmp/kept 16M.bin
rm /tmp/kept
chown root /dev/vfio/$group
