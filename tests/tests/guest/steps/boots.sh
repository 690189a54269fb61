# The guest boots with an IOMMU, VFIO takes the NIC, and a program of ours runs.
device=/sys/bus/pci/devices/$NIC
[ -L $device/iommu_group ]
echo vfio-pci >$device/driver_override
echo $NIC >/sys/bus/pci/drivers_probe
[ "$(basename $(readlink $device/driver))" = vfio-pci ]
[ -c /dev/vfio/$(basename $(readlink $device/iommu_group)) ]
pagewire --version
far-end receive 9000 /tmp/odd.bin >/tmp/receive.log &
receiver=$!
until grep -q listening /tmp/receive.log; do sleep 0.1; done
far-end send /data/odd.bin [::1]:9000
wait $receiver
cmp /tmp/odd.bin /data/odd.bin
