package dict

// OnDisk is what systems without files in memory do.
var OnDisk = onDisk
