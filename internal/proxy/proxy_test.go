package proxy

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo answers each line with itself.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					fmt.Fprintln(c, lines.Text())
				}
			}()
		}
	}()
	return l.Addr().String()
}

func ask(c net.Conn, within time.Duration) (string, error) {
	_ = c.SetDeadline(time.Now().Add(within))
	if _, err := fmt.Fprintln(c, "hello"); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

func TestWhatPassesIsCutAndHeldUp(t *testing.T) {
	p, err := Listen(echo(t))
	require.NoError(t, err)
	c, err := net.Dial("tcp", p.Address())
	require.NoError(t, err)
	defer c.Close()
	line, err := ask(c, 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)

	p.Stall()
	_, err = ask(c, 50*time.Millisecond)
	require.Error(t, err)
	p.Resume()
	line, err = bufio.NewReader(c).ReadString('\n')
	if err != nil { // the deadline stays passed
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		line, err = bufio.NewReader(c).ReadString('\n')
	}
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)

	p.Cut()
	_, err = ask(c, 10*time.Second)
	require.Error(t, err)
	p.Heal()
	again, err := net.Dial("tcp", p.Address())
	require.NoError(t, err)
	defer again.Close()
	line, err = ask(again, 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
	require.NoError(t, p.Close())
}
