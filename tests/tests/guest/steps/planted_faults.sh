# The IOMMU notices a write into memory that the device may only read, and a read of memory that is mapped no more.
vfio-probe $NIC transmit
! dmesg | grep -q -i 'DMAR:.*fault'
vfio-probe $NIC receive-read-only
dmesg -c >/tmp/dmesg
cat /tmp/dmesg
grep -q 'DMA Write.*fault addr' /tmp/dmesg
vfio-probe $NIC transmit-unmapped
dmesg >/tmp/dmesg
cat /tmp/dmesg
grep -q 'DMA Read.*fault addr' /tmp/dmesg
