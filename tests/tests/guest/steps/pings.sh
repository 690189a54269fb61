# Ping both ways, over IPv4 and IPv6.
host capture pings
pagewire ping 10.0.0.2 $near --count 3
pagewire ping fd00::2 $near --count 3
background /tmp/recv.log pagewire recv $near --listen 5001 --output /tmp/nothing
wait_until 10 ping -c 1 -W 1 10.0.0.1
ping -c 3 -W 2 10.0.0.1
ping6 -c 3 -W 2 fd00::1
kill -INT $background
wait $background || [ $? = 130 ]
[ ! -e /tmp/nothing ]
