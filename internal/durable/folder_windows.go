package durable

// SyncFolder returns at once: the file systems of Windows write names to the disk in their own
// order, and folders can't be synced.
func SyncFolder(string) error { return nil }
