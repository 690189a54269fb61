# Nothing so far has made the IOMMU complain.
dmesg | grep -i dmar || true
! dmesg | grep -q -i 'DMAR:.*fault'
