# Each mistake gets a sentence with its cause and its remedy within 3 s, and everything is released.
refuses 0000:00:1e.7 'pagewire.list' -- pagewire ping 10.0.0.2 --nic vfio:0000:00:1e.7 --ip 10.0.0.1/24
refuses virtio-pci 'pagewire.bind.0000:00:04.0' -- pagewire ping 10.0.0.1 --nic vfio:0000:00:04.0 --ip 10.0.0.9/24
refuses 10ec:8139 82574L -- pagewire bind 0000:00:07.0
echo vfio-pci >/sys/bus/pci/devices/0000:00:07.0/driver_override
echo 0000:00:07.0 >/sys/bus/pci/drivers_probe
refuses 10ec:8139 e1000e -- pagewire ping 10.0.0.2 --nic vfio:0000:00:07.0 --ip 10.0.0.1/24
# Behind a bridge to conventional PCI the IOMMU cannot tell two devices apart.
pagewire bind 0000:01:01.0
refuses viable 0000:01:02.0 virtio-pci -- pagewire ping 10.0.0.2 --nic vfio:0000:01:01.0 --ip 10.0.0.1/24
pagewire unbind 0000:01:01.0
background /tmp/recv.log pagewire recv $near --listen 5001 --output /tmp/nothing
wait_until 10 ping -c 1 -W 1 10.0.0.1
refuses in.use $background -- pagewire ping 10.0.0.2 $near
kill -INT $background
wait $background || [ $? = 130 ]
pagewire ping 10.0.0.2 $near --count 1
