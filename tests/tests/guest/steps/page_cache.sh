# Payload leaves from the page cache: a write after the file was mapped shows in what is sent.
host capture page_cache
cp /data/odd.bin /data/changed.bin
# A small window, and a receiver that reads nothing, hold the transfer up; a writer that was there before it began is
# not made to wait. All of the file lies in one window, which is mapped by then.
buffers=$(cat /proc/sys/net/ipv4/tcp_rmem)
echo "4096 65536 65536" >/proc/sys/net/ipv4/tcp_rmem
exec 5<>/data/changed.bin
far_end_receives 5001 /tmp/arrived
kill -STOP $far_end
background /tmp/send.log pagewire send /data/changed.bin $near --to 10.0.0.2:5001
sleep 4
kill -0 $background
printf 'written after the map' | dd of=/data/changed.bin bs=1 seek=900000 conv=notrunc
kill -CONT $far_end
# What is not the file that was declared must not end as if it were.
! wait $background
cat /tmp/send.log
grep -q 'changed' /tmp/send.log
wait $far_end || true
echo "$buffers" >/proc/sys/net/ipv4/tcp_rmem
grep -q 'written after the map' /tmp/arrived
! grep -q 'written after the map' /data/odd.bin
