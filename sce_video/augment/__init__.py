"""What makes a clip a view: parameters drawn per sample on the CPU, applied in batch on the device."""
