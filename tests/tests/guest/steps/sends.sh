# 64 MiB from ext4 in zero-copy mode to Linux's TCP: whole, and no payload byte copied by our CPU.
# limit: 60
host capture sends
far_end_receives 5001 /tmp/arrived
pagewire send /data/64M.bin $near --to 10.0.0.2:5001 --json >/results/sends.json
cat /results/sends.json
wait $far_end
is_whole /tmp/arrived 64M.bin
[ "$(value payload_bytes_copied_by_sender_cpu /results/sends.json)" = 0 ]
[ "$(value sha256 /results/sends.json)" = "$(sha256sum_of 64M.bin)" ]
[ "$(value gathered_bytes /results/sends.json)" -ge 67108864 ]
rm /tmp/arrived
