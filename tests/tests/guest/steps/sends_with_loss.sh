# With each 1000th frame lost, 16 MiB still arrive whole.
# limit: 60
host capture sends_with_loss
host drop 1000
far_end_receives 5001 /tmp/arrived
pagewire send /data/16M.bin $near --to 10.0.0.2:5001 --json >/results/sends_with_loss.json
cat /results/sends_with_loss.json
wait $far_end
is_whole /tmp/arrived 16M.bin
[ "$(host drop 0)" -ge 10 ]
[ "$(value retransmitted_bytes /results/sends_with_loss.json)" -gt 0 ]
rm /tmp/arrived
