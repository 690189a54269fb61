# The guest boots with an IOMMU, `pagewire bind` hands the NIC to VFIO, and nothing stands in the way.
[ -L /sys/bus/pci/devices/$NIC/iommu_group ]
pagewire --version
pagewire list
pagewire bind $NIC
[ "$(basename $(readlink /sys/bus/pci/devices/$NIC/driver))" = vfio-pci ]
pagewire list --json
pagewire doctor
