# The same over IPv6.
# limit: 60
host capture sends_ipv6
far_end_receives 5001 /tmp/arrived
pagewire send /data/64M.bin $near --to [fd00::2]:5001 --json >/results/sends_ipv6.json
cat /results/sends_ipv6.json
wait $far_end
is_whole /tmp/arrived 64M.bin
[ "$(value payload_bytes_copied_by_sender_cpu /results/sends_ipv6.json)" = 0 ]
rm /tmp/arrived
