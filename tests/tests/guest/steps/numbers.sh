# What a gigabyte costs its sender: sendfile through Linux's own driver, and `pagewire send`, on the same emulated card,
# $rounds times in turn. CPU 0 sends and does nothing else; CPU 1 receives.
# limit: 70
[ "$(basename $(readlink /sys/bus/pci/devices/$NIC/driver))" = e1000e ]
echo 1 >/proc/irq/default_smp_affinity
for irq in /proc/irq/[0-9]*; do
    echo 2 >$irq/smp_affinity 2>/dev/null || true
done
taskset -p 2 $$
cat /data/64M.bin >/dev/null

busy() { awk '/^cpu0 / {print $2 + $3 + $4 + $7 + $8}' /proc/stat; }
# measured NAME COMMAND...: sends to the far end and adds a line to the results: name, core's busy seconds, wall seconds.
measured() {
    local name=$1
    shift
    far_end_receives 5001 /tmp/arrived
    local before=$(busy)
    background /tmp/send.log taskset 1 "$@"
    wait $far_end
    # The file is there; what the sender does from here on is to say so.
    local after=$(busy)
    wait $background || { cat /tmp/send.log; fail "$name ended with $?"; }
    cat /tmp/send.log
    is_whole /tmp/arrived 64M.bin
    rm /tmp/arrived
    echo "$name $((after - before)) $(sed -n 's/.* in \([0-9.]*\) s/\1/p' /tmp/far-end.log)" >>/results/runs
}

for round in $(seq $rounds); do
    # Linux does not send to itself over a wire: the card goes into a network namespace of its own.
    card=$(basename /sys/bus/pci/devices/$NIC/net/*)
    unshare -n sleep 1000 &
    other=$!
    sleep 0.5
    ip link set $card netns $other
    inside="nsenter -t $other -n"
    $inside ip link set $card up
    $inside ip address add 10.0.0.1/24 dev $card
    for irq in $(grep "$card" /proc/interrupts | cut -d: -f1); do
        echo 1 >/proc/irq/$irq/smp_affinity
    done
    wait_until 10 $inside ping -c 1 -W 1 10.0.0.2
    measured sendfile $inside far-end send /data/64M.bin 10.0.0.2:5001
    pagewire bind $NIC
    kill $other
    measured pagewire pagewire send /data/64M.bin $near --to 10.0.0.2:5001 --json
    value sender_cpu_s_per_gb /tmp/send.log >>/results/own
    # Linux's driver gets the card back.
    pagewire unbind $NIC
    wait_until 10 test -d /sys/bus/pci/devices/$NIC/net
    [ "$(basename $(readlink /sys/bus/pci/devices/$NIC/driver))" = e1000e ]
done
cat /results/runs /results/own
for name in sendfile pagewire; do
    grep "^$name" /results/runs | sort -n -k 2 | awk -v name=$name -v rounds=$rounds \
        'NR == int((rounds + 1) / 2) {printf "| %s | %.1f | %.4f |\n", name, $2 / 100 / 0.067108864, 0.067108864 / $3}'
done >/results/numbers.md
cat /results/numbers.md
