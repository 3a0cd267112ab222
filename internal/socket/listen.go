package socket

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Name is the name of the socket in the directory of a store.
const Name = "clew.sock"

const (
	maxPath  = 100          // bytes of the path of a socket that every system takes
	birth    = ".clew.sock" // the folder in which a socket is made
	far      = "clew-sock-" // with which the folder of a socket begins that is elsewhere
	farName  = "s"
	userOnly = 0o600
)

// Listener is a socket in the directory of a store.
type Listener struct {
	net.Listener
	path string // the socket, or the link to it
	far  string // the folder of the socket, if it is elsewhere
}

// Listen makes the socket of a directory. The caller has the lock of the store, so what is there was left by a dead
// process and is replaced.
func Listen(dir string) (*Listener, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	l := &Listener{path: filepath.Join(dir, Name)}
	forget(l.path)
	if len(l.path) <= maxPath {
		err = l.near(filepath.Join(dir, birth))
	} else {
		err = l.elsewhere(filepath.Join(dir, birth))
	}
	if err != nil {
		return nil, fmt.Errorf("socket: making %s: %w", l.path, err)
	}
	return l, nil
}

// near makes the socket in a folder that nobody else may enter, and moves it to its place when its mode is right, so that
// there is no moment at which others can connect.
func (l *Listener) near(folder string) (err error) {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	socket := filepath.Join(folder, farName)
	if err := l.listen(socket); err != nil {
		return err
	}
	if err := os.Rename(socket, l.path); err != nil {
		return errors.Join(err, l.Listener.Close())
	}
	return nil
}

// elsewhere makes the socket among the temporary files, and a link to it.
func (l *Listener) elsewhere(link string) (err error) {
	if l.far, err = os.MkdirTemp("", far); err != nil { // nobody else may enter
		return err
	}
	socket := filepath.Join(l.far, farName)
	if err = l.listen(socket); err != nil {
		return errors.Join(err, os.Remove(l.far))
	}
	if err = os.RemoveAll(link); err == nil {
		err = os.Symlink(socket, link)
	}
	if err == nil {
		err = os.Rename(link, l.path)
	}
	if err != nil {
		return errors.Join(err, l.Listener.Close(), os.RemoveAll(l.far))
	}
	return nil
}

func (l *Listener) listen(path string) error {
	u, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return err
	}
	u.SetUnlinkOnClose(false) // it moves; Close removes it
	if err := os.Chmod(path, userOnly); err != nil {
		return errors.Join(err, u.Close())
	}
	l.Listener = u
	return nil
}

// Close lets nobody in any more and removes the socket. It may be called again.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	forget(l.path)
	return err
}

// forget removes a socket or a link, and what a link of ours leads to.
func forget(path string) {
	if target, err := os.Readlink(path); err == nil && strings.HasPrefix(filepath.Base(filepath.Dir(target)), far) {
		_ = os.Remove(target)
		_ = os.Remove(filepath.Dir(target)) // only if it is empty
	}
	_ = os.Remove(path) // what is in the way is noticed when the new one is put in its place
}

// find returns the path of the socket of a directory.
func find(dir string) (string, error) {
	path := filepath.Join(dir, Name)
	if target, err := os.Readlink(path); err == nil {
		return target, nil
	}
	if len(path) > maxPath {
		if _, err := os.Lstat(path); err != nil {
			return "", err
		}
	}
	return path, nil
}
