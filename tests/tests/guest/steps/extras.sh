# VLAN tags, DHCP, and the counters of a running NIC.
host capture extras
ip link add link $FAR name tagged type vlan id 7
ip link set tagged up
ip address add 10.0.7.2/24 dev tagged
pagewire ping 10.0.7.2 --nic vfio:$NIC --ip 10.0.7.1/24 --vlan 7 --count 2
ip link del tagged
cat >/tmp/udhcpd.conf <<END
start 10.0.0.100
end 10.0.0.110
interface $FAR
lease_file /tmp/leases
pidfile /tmp/udhcpd.pid
option subnet 255.255.255.0
option router 10.0.0.2
END
touch /tmp/leases
udhcpd -f /tmp/udhcpd.conf &
udhcpd=$!
pagewire ping 10.0.0.2 --nic vfio:$NIC --dhcp --count 2
kill $udhcpd
background /tmp/recv.log pagewire recv $near --listen 5001 --output /tmp/nothing
wait_until 10 ping -c 1 -W 1 10.0.0.1
pagewire stats $NIC --json | tee /tmp/stats
[ "$(value rx_packets /tmp/stats)" -gt 0 ]
kill -INT $background
wait $background || [ $? = 130 ]
