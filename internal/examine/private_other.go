//go:build !unix

package examine

// private leaves it to the system who may use a socket.
func private(string) error { return nil }
