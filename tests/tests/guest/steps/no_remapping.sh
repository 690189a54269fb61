# An IOMMU that remaps no interrupts: the sentence says what that means and what to do.
pagewire doctor | tee /tmp/doctor || true
grep -i remap /tmp/doctor
pagewire bind $NIC || true
refuses remap intremap=off -- pagewire ping 10.0.0.2 $near
