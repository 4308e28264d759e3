"""What makes a clip a view: parameters drawn per video on the CPU, applied in batch on the device."""
