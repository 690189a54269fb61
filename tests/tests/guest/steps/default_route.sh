# The NIC that everything goes through is not given away, unless that is insisted on; Linux's driver gets it back.
card=$(basename /sys/bus/pci/devices/$NIC/net/*)
driver() { basename $(readlink /sys/bus/pci/devices/$NIC/driver); }
ip link set $card up
ip address add 10.0.1.1/24 dev $card
ip route add default via 10.0.1.2
refuses default force -- pagewire bind $NIC
[ $(driver) = e1000e ]
refuses e1000e pagewire.bind -- pagewire ping 10.0.0.2 $near
pagewire bind --force $NIC
[ $(driver) = vfio-pci ]
pagewire unbind $NIC
[ $(driver) = e1000e ]
