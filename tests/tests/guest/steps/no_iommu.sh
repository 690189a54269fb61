# Without an IOMMU nothing is driven: the sentence says what to do, and the doctor does, too.
! pagewire doctor
refuses intel_iommu=on -- pagewire bind $NIC
refuses intel_iommu=on -- pagewire ping 10.0.0.2 $near
